"""Something to play with in each lesson: one control in, the run's numbers before and after out, in one picture."""
