"""The models of a running server: which are loaded, how they follow what is promoted, and what candidates do."""
