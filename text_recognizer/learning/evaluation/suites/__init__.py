"""Suites: what a bundle must be able to do before it reads for everybody, and the gate that asks."""
