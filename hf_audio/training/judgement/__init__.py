"""What is found out about a finished network: scores, calibration, and what a rival reaches."""
