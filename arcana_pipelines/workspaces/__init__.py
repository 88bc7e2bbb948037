"""The tenants: their rows, and which run has one in its hands."""
