"""What an authorization server reads and writes, one file an RFC: pure, without rows or network."""
