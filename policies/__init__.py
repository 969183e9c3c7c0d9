"""What is allowed: the rules, read strictly, and the engine that answers from them."""

from policies.engine import Engine, load
from policies.explain import explain
from policies.reader import PolicyError
from policies.suites import parse_target

__all__ = ["Engine", "PolicyError", "explain", "load", "parse_target"]
