"""Pictures of the neurons of one MLP: how far each fires, what it writes, and where else it fires."""
