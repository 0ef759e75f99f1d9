"""Recordings to waveforms: loading, windows, speech."""
