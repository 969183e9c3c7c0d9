"""The kinds of grants, a file each."""
