"""Samplers by name: ``nuts`` is the function of that name in ``nuts.py``; its settings are in llc/config."""

from importlib import import_module

from llc.estimates.trace import Sampler, Trace


def load(name: str) -> Sampler:
    """Return the sampler of that name; a job imports the libraries of its own samplers only."""
    sampler: Sampler = getattr(import_module(f"llc.samplers.{name}"), name)
    return sampler


__all__ = ["Sampler", "Trace", "load"]
