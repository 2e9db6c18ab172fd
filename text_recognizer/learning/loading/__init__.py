"""From datasets to batches: augmentation, bucketing by width, detector targets, cached features."""
