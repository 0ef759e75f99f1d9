"""A finished checkpoint judged on further recordings: labelled clips, or recordings with annotated events."""
