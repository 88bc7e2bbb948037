"""Dagster's UI behind the log-in of the page for people."""
