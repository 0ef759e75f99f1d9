"""Known data sets in their official layouts, and corpora made on the spot."""
