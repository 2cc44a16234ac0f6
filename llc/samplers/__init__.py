"""Samplers by name. To add one: a file here, a line below, its settings in llc/config.py."""

from pkgutil import resolve_name

from llc.samplers.trace import Sampler, Trace

# Where each is, and not the function itself: a job imports the libraries of its own samplers only.
SAMPLERS = {
    "sgld": "llc.samplers.sgld:sgld",
    "hmc": "llc.samplers.hmc:hmc",
    "nuts": "llc.samplers.hmc:nuts",
    "mclmc": "llc.samplers.mclmc:mclmc",
}


def load(name: str) -> Sampler:
    """Return the sampler of that name, importing it on first use."""
    sampler: Sampler = resolve_name(SAMPLERS[name])
    return sampler


__all__ = ["SAMPLERS", "Sampler", "Trace", "load"]
