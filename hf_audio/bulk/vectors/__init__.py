"""Files of embeddings, a row a clip or a window: written as they come, and read back."""
