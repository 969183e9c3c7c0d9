"""The authorization server, and who logs in at it, over rows of the store."""
