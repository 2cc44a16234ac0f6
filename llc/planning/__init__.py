"""What of a sweep is done, stale, failed or missing, and how Snakemake and the user are told."""
