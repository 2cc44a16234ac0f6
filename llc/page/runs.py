"""What the page tells of each run: its configuration and its provenance, what all runs share once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd
import yaml

from llc.plots.tables import KNOWN, Tables
from llc.records import BadRun

# Of run_info.json: digests of each file, what is in the table, and the name of a machine, on a page for others.
LEFT_OUT = ("files", "run_id", "seed", "host")


class Details(NamedTuple):
    """What a page says of all its runs."""

    shown: dict[str, Any]  # for the page's script
    configs: list[dict[str, Any]]  # each run's configuration, nested
    known: set[str]  # columns of the estimates that say what is known


def details(tables: Tables, run_ids: Sequence[str]) -> Details:
    """Return configuration and provenance of these runs."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 12 times as fast, where libyaml is there
    configs, about = [], []
    for run_id in run_ids:
        folder = tables.runs / run_id
        try:
            configs.append(yaml.load((folder / "config.yaml").read_text(encoding="utf-8"), loader))
            about.append(json.loads((folder / "run_info.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise BadRun(f"{folder}: not readable ({error}); delete it and run the sweep again") from None
    overrides = dict(zip(tables.jobs["run_id"], tables.jobs["overrides"], strict=True))
    provenance = [{k: v for k, v in record.items() if k not in LEFT_OUT} for record in about]
    shown = {
        "config": shared([flat(config) for config in configs]),
        "provenance": shared([flat(record) for record in provenance]),
        "command": [f"python train.py {overrides[run_id]}" for run_id in run_ids],
    }
    return Details(shown, configs, {key for key in KNOWN if len(configs) and pd.notna(tables.estimates[key]).any()})


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested values as ``section.key``, each as text."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = (
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            )
    return found


def shared(records: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    """Return each key's value once where all records have it, else the value of each; None: it has no such key."""
    keys = list(dict.fromkeys(key for record in records for key in record))
    columns = {key: [record.get(key) for record in records] for key in keys}
    same = {key for key, column in columns.items() if all(value == column[0] for value in column)}
    return {
        "keys": keys,
        "all": {key: columns[key][0] for key in keys if key in same},
        "each": {key: columns[key] for key in keys if key not in same},
    }
