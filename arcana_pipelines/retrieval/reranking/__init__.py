"""A second opinion on the order of hits."""
