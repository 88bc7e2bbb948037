"""Where pages come from. Nothing outside of one speaks its language."""
