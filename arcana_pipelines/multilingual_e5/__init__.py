"""The model multilingual-e5-small: its file, its tokens, and its forward pass in numpy."""
