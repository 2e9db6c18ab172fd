"""Projects: folders under git and DVC in which a dataset becomes a model, stage by stage, again wherever it changed."""
