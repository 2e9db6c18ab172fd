"""Reading for other people: the HTTP API, AWS Lambda, and what they share."""
