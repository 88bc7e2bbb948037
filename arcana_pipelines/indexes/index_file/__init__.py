"""Indexes in a SQLite file, which is a target's or one to give away."""
