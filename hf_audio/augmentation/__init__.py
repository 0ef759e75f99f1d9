"""Recordings as they might have sounded: transforms of waveforms, changed voices, altered copies, mixed batches."""
