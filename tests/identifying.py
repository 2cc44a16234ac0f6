"""Ids of jobs, by their overrides."""

from functools import cache
from pathlib import Path

import numpy as np
from composing import job

from llc.config import (
    Job,
)
from llc.jobs.ids import run_id

OWN_DATA = "model=quadratic model.d_in=2 data=own data._target_=examples.robust.line"
OWN_MODEL = "data=digits model=own model._target_=examples.plain_jax.mlp"
SAMPLERS = ["sgld", "hmc", "nuts", "mclmc", "gibbs"]


@cache
def default() -> Job:
    return job()


@cache
def id_of(*overrides: str) -> str:
    return run_id(job(*overrides))


def save(path: Path, x: np.ndarray, y: np.ndarray) -> str:
    np.savez(path, x=x, y=y)
    return f"data.path={path}"
