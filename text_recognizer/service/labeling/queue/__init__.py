"""The labelling queue: lines handed out one by one, their labels taken in, over HTTP."""
