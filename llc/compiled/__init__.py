"""What is compiled, or traced, once and serves other jobs, of the process and of others."""
