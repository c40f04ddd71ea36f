"""A canvas that shows one dense array with its labels, scale and values: `component` mounts it, `blob` packs it."""
