"""The account of each page that a source ever listed, and of each sync."""
