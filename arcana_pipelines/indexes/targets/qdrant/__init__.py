"""Qdrant as a target: a server, or the embedded engine Qdrant Edge."""
