"""Training: batches, augmentation, learning-rate schedules, checkpoints, the fit itself."""
