"""Retraining from corrections: dataset, fine-tuning, suites, proposal."""
