"""The sample: the handbook and the helpdesk of a company that does not exist, and a taxonomy of what both are about."""
