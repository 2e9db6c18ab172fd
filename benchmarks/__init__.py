"""Measurements, one program each: `python -m benchmarks.reading.accuracy` from the root of the repository."""
