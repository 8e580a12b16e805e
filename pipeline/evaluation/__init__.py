"""Evaluation: from probabilities to scores and tables."""
