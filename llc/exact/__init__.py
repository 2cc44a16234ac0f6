"""Closed forms: the global λ, λ at given weights, exact values at finite n."""
