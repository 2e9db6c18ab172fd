"""People's labels of pages and lines: queue, agreement, active learning, forms, exchange with other programs."""
