"""Vectors and words in PostgreSQL with pgvector."""
