"""Pictures of why a token came: what each part of the model adds to its logit, and what a head's words brought."""
