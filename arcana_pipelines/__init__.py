"""Arcana Pipelines keeps a complete, versioned search index of a company's Notion in PostgreSQL."""

__version__ = "0.1.0"
