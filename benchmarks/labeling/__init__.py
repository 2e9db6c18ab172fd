"""What helps people who label: active learning, forms, checks of data."""
