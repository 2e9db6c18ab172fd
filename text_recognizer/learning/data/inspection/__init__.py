"""Checks of datasets before anything is learned from them: labels, images, splits, and what a recogniser disputes."""
