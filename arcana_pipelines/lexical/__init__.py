"""The words of a text: for the index by words, and for questions."""
