"""A SQLite file as a target."""
