"""Identities: a run id depends on everything that can change the numbers, and on nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

from llc.config import Job
from llc.jobs.sgld_defaults import BATCH, momentum_of, takes_all
from llc.jobs.widths import hidden_widths

OF_THE_RUN = ("posterior", "sampler", "evaluate", "checkpoint")  # and not of the target
LENGTH = 12
# One id in 140 would be read as a number by Hydra, YAML or pandas: 17462e166688 is infinite.
NUMBER = re.compile("[0-9]+(e[0-9]+)?")
SCHEMA = 1  # part of every id: a new value makes all results new ones


def ids(job: Job) -> tuple[str, str]:
    """Return the run id and the target id of a parsed ``job``: 12 hex digits of a SHA-256 each.

    A run id is of the canonical configuration, a target id of the part that the target depends on. They
    are the first 12 digits that are no number.
    """
    values = canonical(job)
    kept = {"checkpoints": job.training.checkpoints} if job.training.checkpoints else {}
    return _digest(values), _digest({k: v for k, v in values.items() if k not in OF_THE_RUN} | kept)


def run_id(job: Job) -> str:
    """Return the id of the run that ``job`` makes."""
    return ids(job)[0]


def target_id(job: Job) -> str:
    """Return the id of the target that ``job`` samples around."""
    return ids(job)[1]


def _digest(values: dict[str, Any]) -> str:
    text = json.dumps({"schema": SCHEMA, **values}, sort_keys=True, separators=(",", ":"), allow_nan=False)
    digits = hashlib.sha256(text.encode()).hexdigest()
    parts = (digits[start : start + LENGTH] for start in range(len(digits) - LENGTH))
    return next(part for part in parts if not NUMBER.fullmatch(part))


def canonical(job: Job) -> dict[str, Any]:
    """Return what the numbers of a parsed ``job`` depend on; what nothing reads is left out."""
    # Not asdict: its deep copies would be most of what expanding a sweep costs.
    data, model, training, posterior = (
        dict(vars(section)) for section in (job.data, job.model, job.training, job.posterior)
    )
    data.pop("path", None)  # the file's digest stands for it
    if (data["kind"] == "npz" and data["classes"]) or job.loss != "nll":
        data.pop("sigma", None)  # nothing reads it
    if model["kind"] == "mlp":
        model["widths"] = hidden_widths(job.model)
        del model["depth"]
    del model["target_params"]
    n_data = data["n_data"] or math.inf  # of own data it may not be known
    if model["kind"] == "dln":
        del model["layers"], model["width"]  # the widths stand for them
        if model["teacher"] == "reduced":
            del model["rank"]
        else:  # as it was before there was a choice
            del model["teacher"]
    if job.data.kind != "teacher":
        model.pop("rank", None)
        model.pop("teacher", None)
    if training["batch_size"] is not None and training["batch_size"] >= n_data:
        training["batch_size"] = None
    if training["optimizer"] != "sgd":
        del training["momentum"]
    if training["optimizer"] != "adamw":
        del training["weight_decay"]
    del training["checkpoints"]  # of a run the one that it samples around counts, not which others are kept
    if training["w_star"] == "teacher":
        training = {"w_star": "teacher"}
    elif training["w_star"] == "file":
        training = {"w_star": "file", "sha256": training["sha256"]}
    else:
        del training["path"], training["sha256"]
    if posterior["restrict"] is None:
        del posterior["restrict"]
    if posterior["beta"] is not None:
        del posterior["beta0"]
    sampler = {name: dict(vars(getattr(job.sampler, name))) for name in job.sampler.names}
    for settings in sampler.values():
        if settings["draws"] is not None:
            del settings["budget"]  # of draws that are added by rule
    if (sgld := sampler.get("sgld")) is not None:
        sgld["momentum"] = momentum_of(sgld["step_size"], sgld["momentum"])
        if takes_all(sgld["step_size"], sgld["batch_size"], sgld["draws"], n_data):
            sgld |= {"batch_size": data["n_data"], "control_variates": False}
        elif sgld["step_size"] != "auto":
            sgld["batch_size"] = sgld["batch_size"] or BATCH
    posterior["gamma"] += 0.0  # no negative zero
    # Left out where they say nothing, so that ids from before there were such keys stay.
    own = {"own": job.own.sha256} if job.own.sha256 is not None else {}
    loss = {"loss": job.loss} if job.loss != "nll" else {}
    sources = {name: {k: v for k, v in source.items() if k != "path"} for name, source in (job.evaluate or {}).items()}
    evaluate = {"evaluate": sources} if sources else {}
    checkpoint = {"checkpoint": job.checkpoint} if job.checkpoint is not None else {}
    return {
        **own,
        **loss,
        **evaluate,
        **checkpoint,
        "data": data,
        "model": model,
        "training": training,
        "posterior": posterior,
        "sampler": sampler,
        "seed": job.seed,
        "precision": job.precision,
    }
