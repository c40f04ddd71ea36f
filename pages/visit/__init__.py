"""One visit: the visitor's actions in, the run on the stage and a snapshot of it out."""
