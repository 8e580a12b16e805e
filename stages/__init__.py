"""The pipeline's stages (one DVC stage a file) and the rooms that they call."""
