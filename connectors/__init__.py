"""How an upstream is reached: a file each kind of connector."""
