"""VGG16's ImageNet weights: where they come from, how they are checked, stored and loaded."""
