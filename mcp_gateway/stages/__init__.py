"""The steps of a call, one short file each; their order is a literal in app.py."""
