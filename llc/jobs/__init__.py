"""What a job is: composed by Hydra, completed, checked before it starts, and identified."""
