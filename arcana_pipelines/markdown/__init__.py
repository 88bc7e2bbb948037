"""Texts of all sources in one form of Markdown, whatever somebody typed into them."""
