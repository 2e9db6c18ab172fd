"""Watching what is read: features of readings, drift of them against a reference, and when to raise an alarm."""
