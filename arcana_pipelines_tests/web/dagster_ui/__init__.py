"""Dagster's UI behind the log-in: over real HTTP, before what stands for Dagster's web server, and before itself."""
