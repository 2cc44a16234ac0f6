"""Local learning coefficients of neural networks, over whole parameter grids."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llc.api import estimate
    from llc.results import load_sweep

__version__ = "0.1.0"
__all__ = ["estimate", "load_sweep"]

_LAZY = {"estimate": "llc.api", "load_sweep": "llc.results"}  # imported when they are first asked for


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'llc' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_LAZY]
