"""A user's own code and files, found and checked."""
