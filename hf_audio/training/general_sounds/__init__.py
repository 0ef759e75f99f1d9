"""Sounds of any kind: the networks, their signal for other rates and lengths, the training and the augmentation."""
