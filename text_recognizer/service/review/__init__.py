"""The review queue of the server: kept readings that people are to look at, the doubtful and the drifting first."""
