"""Keys that seal the keys of secrets."""
