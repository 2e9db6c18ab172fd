"""The labelling application: its page, its API, reading in the background."""
