"""Sweep files: where they are, and the combinations of overrides that they hold. Without JAX.

Hydra parses both kinds; its ``hydra.sweeper.params`` expand in the order of ``train.py -m``.
"""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from llc.compose import check_keys
from llc.config import ConfigError, nearest


class Point(NamedTuple):
    """One combination of overrides, and where the sweep file says so."""

    where: str
    overrides: list[str]
    keys: list[str]  # the swept ones


def read(file: Path) -> list[Point]:
    """Return the jobs of a sweep file, in order. Hydra must have been given ``conf/``."""
    return list(_csv_points(file) if file.suffix == ".csv" else _yaml_points(file))


def find(name: str, conf: Path) -> Path:
    """Return the file of a sweep, of which there must be exactly one."""
    known = sorted(p for p in (conf / "sweep").glob("*") if p.suffix in (".yaml", ".csv"))
    found = [p for p in known if p.stem == name]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"sweep={name}: both {found[0]} and {found[1]} exist; rename one")
    names = [p.stem for p in known]
    raise ConfigError(
        f"sweep={name}: no {conf}/sweep/{name}.yaml or .csv, only {', '.join(names)}{nearest(name, names)}"
    )


def parse_overrides(texts: list[str]) -> list[Override]:
    """Parse overrides with Hydra's grammar, config groups known to it."""
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(config_loader=loader).parse_overrides(texts)


def _yaml_points(file: Path) -> Iterator[Point]:
    if "@package _global_" not in file.read_text(encoding="utf-8").split("\n", 1)[0]:
        raise ConfigError("its first line must be '# @package _global_', or its keys land under sweep:")
    base = f"+sweep={file.stem}"
    params = compose("config", [base], return_hydra_config=True).hydra.sweeper.params
    if not params:
        raise ConfigError(f"hydra.sweeper.params is {params!r}: it must name the swept keys and their values")
    texts = [f"{key}={value}" for key, value in params.items()]
    check_keys(texts)
    axes = []
    for text, override in zip(texts, parse_overrides(texts), strict=True):
        key = override.get_key_element()
        if not override.is_sweep_override():
            values = [] if override.is_delete() else [override.get_value_element_as_str()]
            axes.append([f"{key}={value}" for value in values] or [text])
        elif override.is_discrete_sweep():
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            raise ConfigError(f"{text}: an interval has no list of values; use choice(…) or range(…)")
        if not axes[-1]:
            raise ConfigError(f"{text}: it has no values")
    keys = [override.key_or_group for override in parse_overrides(texts)]
    for number, combination in enumerate(itertools.product(*axes)):
        yield Point(f"job {number} ({' '.join(combination)})", [base, *combination], keys)


def _csv_points(file: Path) -> Iterator[Point]:
    with file.open(newline="", encoding="utf-8-sig") as stream:
        lines = csv.reader(stream, strict=True)
        header = [key.strip() for key in next(lines, [])]
        if not all(header) or len(set(header)) < len(header):
            raise ConfigError(f"line 1: {header} must be keys, each once, none empty")
        try:
            check_keys(f"{key}=0" for key in header)
        except ConfigError as error:
            raise ConfigError(f"line 1: {error}") from None
        for cells in lines:
            where = f"line {lines.line_num}"
            if not any(cell.strip() for cell in cells):
                raise ConfigError(f"{where}: an empty row; delete it, or give one key its default value")
            if len(cells) != len(header):
                raise ConfigError(f"{where}: {len(cells)} cells under {len(header)} keys")
            texts = [f"{key}={cell.strip()}" for key, cell in zip(header, cells, strict=True) if cell.strip()]
            try:
                swept = [override.input_line for override in parse_overrides(texts) if override.is_sweep_override()]
            except HydraException as error:
                raise ConfigError(f"{where}: {error}") from None
            if swept:
                raise ConfigError(f"{where}: {swept[0]} has several values; a row is one job, quote a text with commas")
            yield Point(where, texts, [key.lstrip("+") for key in header])
