"""Searchable PDF: the page's picture with its text beneath, invisible."""
