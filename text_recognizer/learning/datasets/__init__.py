"""Real data: one file a dataset, and the registry that knows all of them by name."""
