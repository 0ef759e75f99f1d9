"""The networks that are trained: built out of any encoder, taken apart, and asked for embeddings."""
