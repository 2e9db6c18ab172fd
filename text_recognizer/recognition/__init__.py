"""Reading: lines found on a page, their text, and the bundles of the models that do it."""
