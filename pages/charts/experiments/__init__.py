"""The charts of experiments: a changed run beside its base, or a sweep, in; pictures and sentences out."""
