"""One sensor's encoder: messages in, embeddings out."""
