"""From the trace of a sampler to λ̂, its error, and a verdict. Without JAX."""
