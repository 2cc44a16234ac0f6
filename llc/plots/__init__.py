"""Figures of a sweep, made for its own axes from its tables and traces. Without JAX."""
