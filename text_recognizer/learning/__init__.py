"""Everything that needs torch: data, networks, training, evaluation."""
