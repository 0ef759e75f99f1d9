"""Several trainings, one after another, which choose, judge or prepare one network."""
