"""A company's own order over its documents: a tree of topics, in versions."""
