"""Error rates of lines and pages."""
