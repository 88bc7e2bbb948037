"""The version of the normal form."""

NORMALISER_VERSION = 4
"""Raise it when the same Markdown gives another text: all bodies are read again, and what differs is a new version."""
