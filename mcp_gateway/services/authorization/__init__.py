"""The embedded authorization server, as a state machine over rows of the store."""
