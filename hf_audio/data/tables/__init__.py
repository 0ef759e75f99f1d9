"""What a table of somebody else's says: its cells, its columns, and the files and labels that they name."""
