"""Many recordings through one checkpoint, into a table."""
