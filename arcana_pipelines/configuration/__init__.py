"""What is configured: where each value comes from, what is wrong with it, and the secrets that are missing."""
