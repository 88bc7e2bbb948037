"""Milvus as a target: a server, or Milvus Lite in a directory."""
