"""The suites that ship: what a model must do before it is promoted (docs/promotion.md)."""
