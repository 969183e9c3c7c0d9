"""The gateway as a client of the authorization servers of upstreams, a file each document."""
