"""Fine-tuning of a line recogniser on one's own handwriting."""
