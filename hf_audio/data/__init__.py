"""Which clips there are, what they are labelled, and what trains, validates and tests."""
