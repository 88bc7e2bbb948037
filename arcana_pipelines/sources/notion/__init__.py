"""The source Notion, by its API."""
