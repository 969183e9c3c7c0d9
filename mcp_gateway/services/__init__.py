"""The use cases: what an administrator can do, and how a snapshot comes about."""
