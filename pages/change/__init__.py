"""Pages that change the model, and their controls: a view in, a changed run beside its base out."""
