"""Models of one's own: folders with an ONNX export, as sentence-transformers writes it, run in this process."""
