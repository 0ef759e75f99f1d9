"""Files of one window for small devices, in the formats of their runtimes."""
