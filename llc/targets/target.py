"""The target: data, model and w*, the point whose learning coefficient is estimated."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from llc import code, records, seeds
from llc.compiled.programs import HashablePartial, compiled
from llc.config import Job, OwnData, OwnModel, require
from llc.files import whole, write_json
from llc.jobs import weights
from llc.jobs.ids import target_id
from llc.loss.gradient_check import require_gradient
from llc.loss.likelihood import batch
from llc.loss.rows import Loss, loss_and_gradient, parts
from llc.records import TARGET_INFO, BadTarget
from llc.targets import data, losses, models
from llc.targets.data import Dataset
from llc.targets.models import Model
from llc.targets.training import train
from llc.user import own


class Problem(NamedTuple):
    """What is trained, and sampled around w*."""

    model: Model
    data: Dataset
    loss_fn: Loss  # the average negative log likelihood


def problem(job: Job) -> Problem:
    """Return the model, the data and the loss of ``job``."""
    # A teacher's data need their model, a user's own model needs its data.
    model = None if isinstance(job.model, OwnModel) else models.build(job.model)
    if isinstance(job.data, OwnData):
        dataset = data.load_own(job.data, job.seed, own.folder(job))
    else:
        dataset = data.load(job.data, job.seed, model)
    if model is None:
        model = models.build_own(job.model, own.folder(job), dataset.x, job.precision)
    loss_fn, dataset = losses.build(job, model, dataset)
    return Problem(model, dataset, loss_fn)


class Target(NamedTuple):
    """w* and how good a minimum it is. Losses and gradients in float64, over all the data."""

    w_star: Float[np.ndarray, " dim"]
    loss: float  # L_n(w*)
    grad_norm: float  # ‖∇L_n(w*)‖
    steps: int  # of the optimizer
    polish_steps: int
    # Why its last stage ended: grad_tol, step_limit, polished (nothing is left to gain within reach),
    # rounding (which hides what is left); or checkpoint, on the way; or teacher, file (no training).
    stopped: str
    data_sha256: str
    test_loss: float | None  # mean negative log likelihood of the test rows, where there are any and it is finite
    test_accuracy: float | None
    code: Mapping[str, str]  # digests of the modules that it was made with
    checkpoints: Mapping[int, Target] = MappingProxyType({})  # of training that was asked for some, by step

    def at(self, checkpoint: int | None) -> Target:
        """Return the target at a checkpoint, or where training ended."""
        return self if checkpoint is None else self.checkpoints[checkpoint]


def make(job: Job, problem: Problem) -> Target:
    """Find w*: train to a local minimum, or take the teacher's weights or those of a file.

    Raises
    ------
    FloatingPointError
        If training leaves the finite numbers.
    ValueError
        If the gradient of a user's own model or loss is not that of the loss.
    """
    _check_gradient(job, problem)
    measure = partial(_measure, job, problem)
    if job.training.w_star == "teacher":
        assert problem.data.w_true is not None  # parsed: the data have a teacher
        return measure(problem.data.w_true.astype(job.precision), 0, 0, "teacher")
    if job.training.w_star == "file":
        return measure(_read(job, problem), 0, 0, "file")
    end = train(job, *problem)
    found = measure(end.w, end.steps, end.polish_steps, end.stopped)
    passed = {step: measure(w, done, 0, "checkpoint") for step, (w, done) in end.checkpoints.items()}
    return found._replace(checkpoints=passed)


def _check_gradient(job: Job, problem: Problem) -> None:
    """Check the gradient of what a user has written."""
    if written := losses.written(job):
        with jax.enable_x64(True):
            w = problem.model.init(seeds.key(job.seed, "init")).astype("float64")
            rows = losses.some_rows(problem.data)
            require_gradient(f"the loss of {' and '.join(written)}", problem.loss_fn, w, rows)


def _measure(
    job: Job, problem: Problem, w_star: Float[np.ndarray, " dim"], steps: int, polish_steps: int, stopped: str
) -> Target:
    model, data, loss_fn = problem
    loss, grad_norm = full_loss(w_star, problem)
    if not np.isfinite([loss, grad_norm]).all():
        raise FloatingPointError(
            f"training.learning_rate={job.training.learning_rate!r}: training left the finite numbers "
            f"(loss {loss}, gradient norm {grad_norm} after {steps} steps); lower it"
        )
    test_loss, test_accuracy = None, None
    with jax.enable_x64(True):
        w = np.asarray(w_star, np.float64)
        if len(data.x_test):
            test = batch(data.x_test, data.y_test, data.sigma, "float64")
            value = float(compiled(loss_fn, w, test))
            test_loss = value if math.isfinite(value) else None  # a user's loss may be infinite there
            if data.y.dtype.kind == "i" and "." not in job.loss:
                predicted = np.argmax(compiled(model.apply, w, test.x), axis=1)
                test_accuracy = float(np.mean(predicted == data.y_test))
    return Target(
        w_star, loss, grad_norm, steps, polish_steps, stopped, data.sha256(), test_loss, test_accuracy,
        code.modules("target"),
    )  # fmt: skip


def _read(job: Job, problem: Problem) -> Float[np.ndarray, " dim"]:
    assert job.training.path is not None  # parsed: it goes with w_star=file
    path = Path(job.training.path)
    w_star = weights.load(path, problem.model.layout, job.training.sha256).astype(job.precision)
    loss, _ = full_loss(w_star, problem)
    require(math.isfinite(loss), "training.path", str(path), f"weights at which L_n is finite, here it is {loss}")
    return w_star


def save(target: Target, job: Job, folder: Path, core_s: float = 0.0) -> None:
    """Write ``target.npz``, then ``target.json``, whose presence means the target is complete.

    ``core_s`` is what it took, in core-seconds: plans are made with it.
    """
    arrays: dict[str, Any] = {records.name_of(step): target.at(step).w_star for step in (None, *target.checkpoints)}
    with whole(folder / "target.npz") as path:
        np.savez(path, **arrays)
    written: dict[str, Any] = {"target_id": target_id(job), "n_params": len(target.w_star), **about(target)}
    written["checkpoints"] = {str(step): about(part) for step, part in target.checkpoints.items()}
    written |= {"code": target.code, "core_s": core_s, "bytes": (folder / "target.npz").stat().st_size}
    write_json(folder / TARGET_INFO, written)


def about(target: Target) -> dict[str, Any]:
    """Return what there is to say of w*: losses, steps, and digests of the data and of w* itself."""
    values = target._asdict()
    del values["w_star"], values["checkpoints"], values["code"]
    return values | {"w_star_sha256": hashlib.sha256(target.w_star.tobytes()).hexdigest()}


def load(folder: Path, job: Job, problem: Problem) -> Target:
    """Read a target back, at the job's checkpoint, and make sure that it is the one that ``job`` samples around.

    Raises
    ------
    BadTarget
        If it is damaged, another configuration's, or was trained on other data.
    """
    saved, w_star = records.read_target(folder, job.checkpoint)
    if saved["target_id"] != target_id(job):
        raise BadTarget(folder, f"it is target {saved['target_id']}, this job needs {target_id(job)}")
    try:
        found = Target(w_star, **{key: saved[key] for key in Target._fields if key not in ("w_star", "checkpoints")})
        found = found._replace(code=dict(found.code))
    except (KeyError, TypeError, ValueError) as error:
        raise BadTarget(folder, f"it is damaged ({error!r})") from None
    if found.data_sha256 != problem.data.sha256():
        # Another kind of machine may round a teacher's labels otherwise; the loss then still agrees.
        loss, _ = full_loss(w_star, problem)
        if not math.isclose(loss, found.loss, rel_tol=1e-9, abs_tol=1e-12):
            other = f"its L_n(w*) is {found.loss}, on this job's data it is {loss}: trained on other data"
            if isinstance(job.data, OwnData):
                fix = "it must return the same data each time it is called, drawn from its argument seed; "
                fix += "if a file that it reads has changed, delete the folder and it is trained again"
                raise BadTarget(folder, other, f"data._target_={job.data._target_!r}: {fix}")
            raise BadTarget(folder, other)
    return found


def full_loss(w_star: Float[np.ndarray, " dim"], problem: Problem) -> tuple[float, float]:
    """Return L_n(w*) and ‖∇L_n(w*)‖ over all the data, in float64."""
    data = problem.data
    with jax.enable_x64(True):
        of_part = HashablePartial(loss_and_gradient, problem.loss_fn)
        w = np.asarray(w_star, np.float64)
        loss, gradient = 0.0, np.zeros(w.size)
        for part in parts(len(data.x)):
            rows = batch(data.x[part], data.y[part], data.sigma, "float64")
            value, slope = compiled(of_part, w, rows)
            share = len(rows.x) / len(data.x)
            loss, gradient = loss + share * float(value), gradient + share * np.asarray(slope)
        return loss, float(np.linalg.norm(gradient))
