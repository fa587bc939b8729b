"""A running app from the command line, through its HTTP API."""
