"""The operators' page: short source files, joined into one document when it is first asked for."""
