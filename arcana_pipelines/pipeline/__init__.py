"""A sync and its stages, without Dagster: pages, contents, chunks, embeddings, indexes, in this order."""
