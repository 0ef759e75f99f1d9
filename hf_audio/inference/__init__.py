"""A checkpoint as a function from waveform to scores, whatever runs it."""
