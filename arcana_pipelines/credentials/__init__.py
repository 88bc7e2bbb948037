"""Tokens of sources that are kept in the database, encrypted."""
