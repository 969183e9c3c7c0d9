"""How often: the arithmetic, and where counters live."""
