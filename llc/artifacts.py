"""The run directory: its files, written."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from llc import __version__, code
from llc.config import Job
from llc.files import whole, write_json, write_text
from llc.jobs.ids import SCHEMA, run_id, target_id
from llc.records import METRICS, RUN_INFO, TARGET_INFO, BadRun, given_to_hydra, read_info

if TYPE_CHECKING:
    from llc.estimates.metrics import Estimate
    from llc.samplers import Trace

PACKAGES = ("jax", "jaxlib", "numpy", "numpyro", "blackjax", "optax", "scipy", "hydra-core")
DIMS = ("chain", "draw")


def is_made(folder: Path, job: Job) -> bool:
    """Return whether the folder holds the result of ``job``, made by the code as it is."""
    if job.stage == "target":
        last, about_it, key, wanted = TARGET_INFO, TARGET_INFO, "target_id", target_id(job)
    else:
        last, about_it, key, wanted = METRICS, RUN_INFO, "run_id", run_id(job)
    if not (folder / last).exists():
        return False
    about = json.loads((folder / about_it).read_text(encoding="utf-8"))
    return about[key] == wanted and not code.changed(about["code"], code.modules(job.stage, job.sampler.names))


def taken_by(folder: Path, job: Job) -> str | None:
    """Return what a folder holds that is whole and not for ``job`` to replace: another's run, or a sweep's target."""
    if (folder / METRICS).exists():
        with suppress(BadRun):
            found = read_info(folder)["run_id"]
            return None if job.stage == "run" and found == run_id(job) else f"run {found}"
    elif job.stage == "run" and (folder / TARGET_INFO).exists():
        with suppress(ValueError, KeyError, TypeError):
            of = json.loads((folder / TARGET_INFO).read_text(encoding="utf-8"))["target_id"]
            return f"target {of}" if of == folder.name else None
    return None


def begin(folder: Path, job: Job) -> None:
    """Make a run directory ready: an older result goes first, so a crash leaves none.

    So do the halves of files that a job which was killed has left.
    """
    for left in folder.glob(".*.part*"):
        left.unlink()
    (folder / METRICS).unlink(missing_ok=True)
    if job.target is None:  # else it may be the target that the job is to load
        (folder / TARGET_INFO).unlink(missing_ok=True)


def write_config(folder: Path, job: Job) -> None:
    """Write ``config.yaml``: every value resolved, ready to be run again."""
    values = asdict(job)
    for key in ("batch", "stage", "target", "expect_id"):  # of this invocation, not of the job
        del values[key]
    write_text(folder / "config.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def trace_groups(trace: Trace) -> dict[str, dict[str, np.ndarray]]:
    """Return the groups of an ArviZ InferenceData: L_n in ``posterior``, the rest in ``sample_stats``.

    Each is (chains, draws), or (chains,) of what was tuned.
    """
    stats = {**trace.stats, **({} if trace.excess is None else {"excess": trace.excess})}
    stats |= {f"tuned_{key}": values for key, values in trace.tuned.items()}
    return {"posterior": {"loss": trace.loss}, "sample_stats": stats}


def write_traces(folder: Path, traces: Mapping[str, Trace]) -> None:
    """Write ``traces.nc``: a group per sampler, each an ArviZ InferenceData without weights.

    ``arviz.InferenceData.from_netcdf("traces.nc", base_group="nuts")`` reads one back.
    """
    import h5netcdf

    with whole(folder / "traces.nc") as path, h5netcdf.File(path, "w") as file:
        for name, trace in traces.items():
            for group, variables in trace_groups(trace).items():
                at = file.create_group(f"{name}/{group}")
                at.attrs["sampler"] = name
                at.dimensions = dict(zip(DIMS, trace.loss.shape, strict=True))
                for dim, size in at.dimensions.items():
                    at.create_variable(dim, (dim,), data=np.arange(len(size)))
                for key, values in variables.items():
                    # netCDF has no booleans; by the attribute xarray, and so ArviZ, knows them.
                    truth = values.dtype == bool
                    data = values.astype(np.int8) if truth else values
                    at.create_variable(key, DIMS[: values.ndim], data=data).attrs.update(
                        {"dtype": "bool"} if truth else {}
                    )


def write_results(folder: Path, estimates: Mapping[str, Estimate], **facts: Any) -> None:
    """Write ``run_info.json``, then ``metrics_summary.csv``, a row per sampler: it makes the run complete.

    ``run_info.json`` holds the ``facts``, what made them, and the digest of each file, by which
    one that was cut short or edited is known.
    """
    metrics = _table({name: estimate.row() for name, estimate in estimates.items()}).encode()
    files = {name: (folder / name).read_bytes() for name in ("config.yaml", "traces.nc")} | {METRICS: metrics}
    about = {
        "schema_version": SCHEMA,
        "llc_version": __version__,
        "packages": {package: version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "host": platform.node(),
        "platform": platform.platform(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
        "overrides": given_to_hydra(folder / ".hydra"),
        "files": {k: {"bytes": len(v), "sha256": hashlib.sha256(v).hexdigest()} for k, v in files.items()},
    }
    write_json(folder / RUN_INFO, about)
    with whole(folder / METRICS) as path:
        path.write_bytes(metrics)


def _table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the rows as CSV, numbers in full: None and NaN are empty cells, and a column that one row has all have."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    text = io.StringIO()
    table = csv.DictWriter(text, ["sampler", *columns], lineterminator="\n")
    table.writeheader()
    for name, row in rows.items():
        table.writerow({"sampler": name} | {key: value for key, value in row.items() if value == value})  # but NaN
    return text.getvalue()
