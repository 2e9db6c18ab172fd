"""What is trained, and how: Lightning modules with their data, and their way from a run to a bundle."""
