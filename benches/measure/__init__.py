"""What the proxy costs, measured beside its peers: `make bench` and `make gate`."""
