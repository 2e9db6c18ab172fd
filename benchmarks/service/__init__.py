"""The server, the function and jobs under load."""
