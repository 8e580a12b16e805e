"""What a person types beside dvc: one program a file, and the rooms that they call."""
