"""A sweep: its file, its combinations, its jobs, and what is kept of them."""
