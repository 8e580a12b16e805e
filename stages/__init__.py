"""The DVC stages, one a file and a page each: read, call the pipeline, write."""
