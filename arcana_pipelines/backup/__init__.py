"""Backups: what is kept of an installation in another place, and how it comes back."""
