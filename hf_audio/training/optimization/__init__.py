"""How a network is optimised: by which steps, how many of them, and within which time."""
