"""What a finished run is: its folder, figures, card and pictures."""
