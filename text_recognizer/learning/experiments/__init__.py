"""Experiments: described in a file and checked, run, tracked, compared, swept."""
