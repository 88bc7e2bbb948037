"""The stage `chunk_embeddings`: texts that are missing, and batches at a provider."""
