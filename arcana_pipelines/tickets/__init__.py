"""Support tickets: their tables, and what is asked of them."""
