"""Models of one's own in folders."""
