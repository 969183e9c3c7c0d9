"""Internal applications to try the gateway with."""
