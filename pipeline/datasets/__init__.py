"""The data sets: descriptors of the named ones, readers, fetching, splitting, decoding."""
