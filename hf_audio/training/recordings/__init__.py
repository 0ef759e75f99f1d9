"""A user's own recordings: where they lie, how they are loaded and divided, and what suits them."""
