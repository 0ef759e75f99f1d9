"""What sounds from when to when in a recording: every form in which people write it, to rows to train on."""
