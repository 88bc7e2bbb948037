"""Files: what they are by their content, where their bytes are kept, what they say and where in them it stands."""
