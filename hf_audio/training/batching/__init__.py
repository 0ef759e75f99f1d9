"""Clips on their way to the model: out of memory or shards, transformed, cut and made into batches."""
