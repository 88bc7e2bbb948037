"""Chroma as a target: a directory, or a server."""
