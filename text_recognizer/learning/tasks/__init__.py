"""Lightning modules and data modules, one file a task."""
