"""API keys: what opens a company's workspaces to programs, and how much of them."""
