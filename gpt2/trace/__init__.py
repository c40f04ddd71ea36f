"""What a run leaves behind: the captures of each step in, one immutable trace out, in memory or in a file."""
