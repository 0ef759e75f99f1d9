"""What a collection of recordings is like and what is wrong with it, before training: `hf-audio inspect`."""
