"""Sweep files: where they are, and the combinations of overrides that they hold. Without JAX.

Hydra parses both kinds; its ``hydra.sweeper.params`` expand in the order of ``train.py -m``.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import OmegaConf

from llc.config import SAMPLERS, ConfigError
from llc.jobs.compose import check_keys, not_syntax
from llc.sweeps.sweepjob import COLUMNS, column_of

# What Hydra's grammar also makes of it, at a hundredth of the cost.
PLAIN_NUMBER = re.compile(
    r"([a-z_]\w*(?:\.[a-z_]\w*)*)=(?:(-?(?:0|[1-9][0-9]*))|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?))",
    re.ASCII,
)
OF_SAMPLERS = re.compile(f"({'|'.join(SAMPLERS)}|llc_mean|llc_mcse|rhat|loss_star)_")
GLOBAL = re.compile("#.*@package _global_")


class Point(NamedTuple):
    """One combination of overrides, and where the sweep file says so."""

    where: str
    overrides: list[str]
    keys: list[str]  # the swept ones
    lines: dict[str, int]  # of the swept keys, where the file has a line for each

    def place(self, message: str) -> str:
        """Return where the file says what an error message begins with, as far as that is known."""
        found = [line for key, line in self.lines.items() if re.match(rf"{re.escape(key)}[=: ]", message)]
        return f"line {found[0]}: {self.where}" if found else self.where


def read(file: Path) -> list[Point]:
    """Return the jobs of a sweep file, in order. Hydra must have been given ``conf/``."""
    return list(_csv_points(file) if file.suffix == ".csv" else _yaml_points(file))


def parse_overrides(texts: list[str]) -> list[Override]:
    """Parse overrides with Hydra's grammar, config groups known to it."""
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(config_loader=loader).parse_overrides(texts)


def _yaml_points(file: Path) -> Iterator[Point]:
    if not GLOBAL.match(file.read_text(encoding="utf-8")):
        raise ConfigError(
            "it must begin with '# @package _global_', without a byte order mark: else its keys land under sweep:"
        )
    base = f"+sweep={file.stem}"
    hydra = compose("config", [base], return_hydra_config=True).hydra
    if hydra.mode == RunMode.MULTIRUN:
        raise ConfigError("hydra.mode=MULTIRUN: each job would be a sweep of its own; leave it out and use train.py -m")
    params = hydra.sweeper.params
    if not params:
        raise ConfigError(f"hydra.sweeper.params is {params!r}: it must name the swept keys and their values")
    lines = _lines(file)
    axes, keys = [], []
    unresolved: Any = OmegaConf.to_container(params)
    for name, value in unresolved.items():
        try:
            key, values = _axis(f"{name}={value}")
        except (ConfigError, HydraException) as error:
            raise ConfigError(f"line {lines[name]}: {error}" if name in lines else str(error)) from None
        axes.append(values)
        keys.append(key)
    at = {key: lines[name] for key, name in zip(keys, params, strict=True) if name in lines}
    for number, combination in enumerate(itertools.product(*axes)):
        yield Point(f"job {number} ({' '.join(combination)})", [base, *combination], keys, at)


def _axis(text: str) -> tuple[str, list[str]]:
    """Return a swept key and the override of each of its values, as Hydra's own sweeper has them."""
    if "${" in text:
        raise ConfigError(
            f"{text}: Hydra looks that up once for all jobs; outside of hydra.sweeper.params each job does"
        )
    check_keys([text])
    (override,) = parse_overrides([text])
    _check_column(override.key_or_group)
    key = override.get_key_element()
    if override.is_delete():
        if not isinstance(override.value(), str):  # of which Hydra's own error is a traceback
            raise ConfigError(f"{text}: what is deleted is a preset, named by a text")
        return override.key_or_group, [text]
    if not override.is_sweep_override():
        return override.key_or_group, [f"{key}={override.get_value_element_as_str()}"]
    if not override.is_discrete_sweep():
        raise ConfigError(f"{text}: an interval has no list of values; use choice(…) or range(…)")
    if getattr(override.value(), "shuffle", False):
        raise ConfigError(f"{text}: shuffled values would be other jobs each time; leave shuffle out")
    values = [f"{key}={value}" for value in override.sweep_string_iterator()]
    if not values:
        raise ConfigError(f"{text}: it has no values")
    return override.key_or_group, values


def _check_column(key: str) -> None:
    """Raise ConfigError for a swept key that is not of a job, or has the name of another column of the tables."""
    if re.match(r"hydra\b", key):
        raise ConfigError(f"{key}: is Hydra's, not a job's; leave it out: the workflow gives each job its folder")
    if key == column_of(key) and (key in COLUMNS or OF_SAMPLERS.match(key)):
        raise ConfigError(f"{key}: is another column of the tables; give it another name, such as my_{key}")


def _lines(file: Path) -> dict[str, int]:
    """Return the line of each key of ``hydra.sweeper.params``."""
    node: Any = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    for name in ("hydra", "sweeper", "params"):
        node = next((value for key, value in node.value if key.value == name), None)
        if not isinstance(node, yaml.MappingNode):
            return {}
    return {key.value: key.start_mark.line + 1 for key, _ in node.value}


def _csv_points(file: Path) -> Iterator[Point]:
    lines = csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig")), strict=True)
    header = [key.strip() for key in next(lines, [])]
    if len(header) == 1 and (wrong := [mark for mark in ";\t" if mark in header[0]]):
        raise ConfigError(f"line 1: its keys are separated by {wrong[0]!r}; save it with commas")
    if not all(header) or len({key.lstrip("+") for key in header}) < len(header):
        raise ConfigError(f"line 1: {header} must be keys, each once, none empty")
    try:
        check_keys(f"{key}=x" for key in header)
        for key in header:
            _check_column(key.lstrip("+"))
    except ConfigError as error:
        raise ConfigError(f"line 1: {error}") from None
    rows = [(lines.line_num, cells) for cells in lines]
    while rows and not rows[-1][1]:  # as many an editor leaves lines at the end
        rows.pop()
    for number, cells in rows:
        where = f"line {number}"
        if not any(cell.strip() for cell in cells):
            raise ConfigError(f"{where}: an empty row; delete it, or give one key its default value")
        if len(cells) != len(header):
            raise ConfigError(f"{where}: {len(cells)} cells under {len(header)} keys")
        texts = [f"{key}={cell.strip()}" for key, cell in zip(header, cells, strict=True) if cell.strip()]
        try:
            parsed = parse_overrides([text for text in texts if not PLAIN_NUMBER.fullmatch(text)])
            swept = [override.input_line for override in parsed if override.is_sweep_override()]
        except OverrideParseException as error:
            raise ConfigError(f"{where}: {not_syntax(error)}") from None
        if swept:
            raise ConfigError(f"{where}: {swept[0]} has several values; a row is one job, quote a text with commas")
        yield Point(where, texts, [key.lstrip("+") for key in header], {})
