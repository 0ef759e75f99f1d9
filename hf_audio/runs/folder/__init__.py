"""The folder a run leaves: never another's overwritten, never half-written, finished when it holds its results."""
