"""Tokens, one file an RFC, and which credential an upstream is shown."""
