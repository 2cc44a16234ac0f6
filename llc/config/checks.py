"""Errors of a configuration that name the key, the value and the fix."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from numbers import Real
from typing import Any

NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
FLOAT32_MAX = 3.4e38
TAKEN = "distance"  # rhat_distance is a column of its own
CHANGED = "it changed since the job was planned; plan again"


class ConfigError(ValueError):
    """A configuration that cannot run. The message names the key, the value and the fix."""


def require(ok: bool, key: str, value: object, must: str) -> None:
    """Raise ConfigError, naming the key, its value and what it must be, unless ``ok``."""
    if not ok:
        raise ConfigError(f"{key}={value!r}: must be {must}")


def arguments(key: str, given: Any) -> dict[str, Any]:
    """Return the arguments of a user's function: none are given as null."""
    given = {} if given is None else given
    ok = isinstance(given, dict) and all(isinstance(name, str) for name in given)
    require(ok, key, given, "{name: value, …}, or null")
    return dict(given)


def are_integers(values: Iterable[Any], least: int) -> bool:
    """Return whether all are integers, as the elements of a list that was composed need not be, and none is below."""
    return all(isinstance(value, int) and value >= least for value in values)


def require_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise ConfigError, naming the nearest choice, unless ``value`` is one of ``choices``."""
    choices = list(choices)
    if value not in choices:
        require(False, key, value, f"one of {', '.join(choices)}{nearest(value, choices)}")


def require_name(key: str, name: object) -> None:
    """Raise ConfigError unless columns can be named after other data."""
    must = f"names of letters, digits and _, for columns, and not {TAKEN}"
    require(bool(NAME.fullmatch(str(name))) and name != TAKEN, key, name, must)


def require_number(key: str, value: Any) -> None:
    """Raise ConfigError unless a value is a finite number in float32 too, or None."""
    ok = value is None or (isinstance(value, Real) and not isinstance(value, bool) and abs(float(value)) < FLOAT32_MAX)
    require(ok, key, value, "finite, a number within float32")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" for the known word nearest to ``word``, or nothing."""
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {match[0]}?)" if match else ""
