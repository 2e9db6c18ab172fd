"""Improvements: what people corrected becomes a dataset, a fine-tuned candidate, and a proposal (docs/improving.md)."""
