"""Reading a file: in a process of its own that may take so much and no more, through the parser of its kind."""
