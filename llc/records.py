"""Run directories read back, and refused where they are not what a run wrote. Without JAX."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from jaxtyping import Float

from llc.config import ConfigError

METRICS = "metrics_summary.csv"
RUN_INFO = "run_info.json"
TARGET_INFO = "target.json"
SNAKEMAKE_LOG = "snakemake.log"  # of a run or a target: what its process has said
TEXT = ("sampler", "status", "reason")  # the columns of metrics_summary.csv that are not numbers
REMEDY = "delete {} and run the sweep again"

Value = str | int | float | None


class BadRun(ValueError):
    """A run directory that does not hold what it must. The message names the file and the fix."""


class BadTarget(ConfigError):
    """A target directory that does not hold what it must. The message names the folder and the fix."""

    def __init__(self, folder: Path, problem: str, fix: str = "delete the folder and it is trained again") -> None:
        super().__init__(f"target={str(folder)!r}: {problem}; {fix}")


class Run(NamedTuple):
    """A finished run."""

    folder: Path
    about: dict[str, Any]  # run_info.json
    estimates: dict[str, dict[str, Value]]  # metrics_summary.csv: the columns of each sampler


def read(folder: Path) -> Run:
    """Return what a run directory holds.

    Raises
    ------
    BadRun
        If a file is missing, cut short, or not the one that the run wrote.
    """
    about = read_info(folder)
    for name, wrong in damage(folder, about):
        raise BadRun(f"{folder / name}: {wrong}; {REMEDY.format(folder)}")
    for name, file in about["files"].items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != file["sha256"]:
            raise BadRun(f"{folder / name}: edited since the run wrote it; {REMEDY.format(folder)}")
    return Run(folder, about, read_metrics(folder / METRICS))


def read_info(folder: Path) -> dict[str, Any]:
    """Return ``run_info.json``, once it is sure to be one."""
    path = folder / RUN_INFO
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        wanted = {"run_id": str, "code": dict, "files": dict, "target": dict, "timings_s": dict, "threads": int}
        wrong = [key for key, kind in wanted.items() if not isinstance(about[key], kind)]
        if not wrong:
            files, seconds = about["files"].values(), about["timings_s"].values()
            wrong += ["files"] * any(
                type(file["bytes"]) is not int or type(file["sha256"]) is not str for file in files
            )
            wrong += ["timings_s"] * any(type(each) not in (int, float) for each in seconds)
            wrong += ["target"] * (not {"n_params", "stopped", "w_star_sha256"} <= about["target"].keys())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRun(f"{path}: not readable ({error!r}); {REMEDY.format(folder)}") from None
    if wrong or set(about["files"]) != {METRICS, "config.yaml", "traces.nc"}:
        raise BadRun(f"{path}: damaged ({', '.join(wrong or ['files'])}); {REMEDY.format(folder)}")
    return about


def given_to_hydra(saved: Path) -> list[str] | None:
    """Return what a job was given on its command line, if Hydra has saved it in this folder, a run's ``.hydra``."""
    said = saved / "overrides.yaml"  # not there with hydra.output_subdir=null
    return yaml.safe_load(said.read_text(encoding="utf-8")) or [] if said.exists() else None


def name_of(checkpoint: int | None) -> str:
    """Return the name of the array in ``target.npz`` that has w*, at a checkpoint or where training ended."""
    return "w_star" if checkpoint is None else f"checkpoint_{checkpoint}"


def read_target(folder: Path, checkpoint: int | None = None) -> tuple[dict[str, Any], Float[np.ndarray, " dim"]]:
    """Return ``target.json`` and w* of a target directory, at a checkpoint or where training ended.

    Raises
    ------
    BadTarget
        If a file is missing or damaged, or the weights are not those that were saved.
    """
    if not folder.is_dir():
        raise BadTarget(folder, "there is no such folder", "target=null trains w* here")
    try:
        about: dict[str, Any] = json.loads((folder / TARGET_INFO).read_text(encoding="utf-8"))
        if checkpoint is not None:
            about |= about["checkpoints"][str(checkpoint)]
        shape, digest = (about["n_params"],), about["w_star_sha256"]
        # np.load leaves a name that it cannot read open; what is open here is closed.
        with (folder / "target.npz").open("rb") as handle, np.load(handle, allow_pickle=False) as file:
            w_star = file[name_of(checkpoint)]
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise BadTarget(folder, f"it is damaged ({error!r})") from None
    if w_star.shape != shape or hashlib.sha256(w_star.tobytes()).hexdigest() != digest:
        raise BadTarget(folder, "the weights in target.npz are not those that were saved")
    return about, w_star


def damage(folder: Path, about: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the files of a run that are gone or have another size, and what is wrong with each."""
    found = []
    for name, file in about["files"].items():
        try:
            size = (folder / name).stat().st_size
        except OSError:
            found.append((name, "missing"))
            continue
        if size != file["bytes"]:
            found.append((name, f"cut short or edited: {size} bytes, the run wrote {file['bytes']}"))
    return found


def read_metrics(path: Path) -> dict[str, dict[str, Value]]:
    """Return ``metrics_summary.csv``: the columns of each sampler."""
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
    return {str(row.pop("sampler")): {k: v if k in TEXT else _number(v) for k, v in row.items()} for row in rows}


def _number(text: str) -> int | float | None:
    """Return a cell as it was written: pandas' own reader may be off by the last bit."""
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        return float(text)
