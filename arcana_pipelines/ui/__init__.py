"""What Dagster's UI is served behind: a guard against pages of others, and the address below which it can be had."""
