"""Texts of all sources in one form of Markdown, whatever people typed into them."""
