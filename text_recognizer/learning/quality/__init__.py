"""Checks of datasets: labels, images, splits, duplicates; previews."""
