"""Followers of calls, which can neither slow nor change one."""
