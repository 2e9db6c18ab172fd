"""Datasets and synthetic handwriting, one file a dataset."""
