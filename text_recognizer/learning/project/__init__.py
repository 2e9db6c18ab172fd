"""A project of one's own under git and DVC: datasets, stages, measures."""
