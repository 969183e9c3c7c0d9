"""The vocabulary of the gateway: standard library only, no input or output."""
