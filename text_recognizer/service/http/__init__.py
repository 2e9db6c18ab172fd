"""The REST API: routes, schemas, limits, problem details, running the server."""
