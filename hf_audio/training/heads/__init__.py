"""Heads that are fitted to the embeddings of an encoder, which itself stays as it is."""
