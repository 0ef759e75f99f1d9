"""Predictions of the held-out clips of a run, a class for each kind of answer; `kinds` chooses the class."""
