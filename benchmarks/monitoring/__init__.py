"""How soon drift is noticed, and what it costs to look."""
