"""Indexes and their builds: made, filled, verified, promoted, dropped."""
