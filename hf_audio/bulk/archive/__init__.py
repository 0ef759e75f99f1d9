"""An archive searched by its embeddings: what sounds like an example, and what to label next."""
