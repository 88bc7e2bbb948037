"""The page for people: a search with its answers, documents with their versions, and what workspaces are at."""
