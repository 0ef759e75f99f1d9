"""What the places and names of files say: known data sets, class folders, parts, and tables beside recordings."""
