"""How well lines and pages are read."""
