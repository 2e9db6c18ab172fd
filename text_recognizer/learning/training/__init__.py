"""Experiments: the Lightning modules, runs, export to a bundle."""
