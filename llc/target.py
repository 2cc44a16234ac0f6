"""The target: data, model and w*, the point whose learning coefficient is estimated."""

from __future__ import annotations

import hashlib
import math
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key

from llc import artifacts, code, data, losses, models, own, records, seeds, weights
from llc.config import Job, OwnData, OwnModel, TrainingConfig, require
from llc.data import Dataset
from llc.ids import target_id
from llc.models import Model
from llc.polish import polish, tolerance
from llc.posterior import Batch, Loss, Number, Params, batch, take
from llc.records import BadTarget

CHECK_EVERY = 50  # steps between looks at the gradient of the full loss


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
    # rounding (which hides what is left), or teacher, file (no training).
    stopped: str
    data_sha256: str
    test_loss: float | None  # mean negative log likelihood of the test rows, where there are any
    test_accuracy: float | None


def make(job: Job, problem: Problem) -> Target:
    """Find w*: train to a local minimum, or take the teacher's weights.

    Raises
    ------
    FloatingPointError
        If training leaves the finite numbers.
    """
    model, data, loss_fn = problem
    if job.training.w_star == "teacher":
        assert data.w_true is not None  # parsed: the data have a teacher
        w_star, steps, polished, stopped = data.w_true.astype(job.precision), 0, 0, "teacher"
    elif job.training.w_star == "file":
        w_star, steps, polished, stopped = _read(job, problem), 0, 0, "file"
    else:
        w_star, steps, polished, stopped = _train(job, problem)
    loss, grad_norm = full_loss(w_star, problem)
    if not np.isfinite([loss, grad_norm]).all():
        raise FloatingPointError(
            f"training.learning_rate={job.training.learning_rate!r}: training left the finite numbers "
            f"(loss {loss}, gradient norm {grad_norm} after {steps} steps); lower it"
        )
    test_loss, test_accuracy = None, None
    with jax.enable_x64(True):
        w = jnp.asarray(w_star, jnp.float64)
        if len(data.x_test):
            test = batch(data.x_test, data.y_test, data.sigma, "float64")
            test_loss = float(jax.jit(loss_fn)(w, test))
            if data.y.dtype.kind == "i" and "." not in job.loss:
                predicted = np.argmax(jax.jit(model.apply)(w, test.x), axis=1)
                test_accuracy = float(np.mean(predicted == data.y_test))
    return Target(w_star, loss, grad_norm, steps, polished, stopped, data.sha256(), test_loss, test_accuracy)


def _read(job: Job, problem: Problem) -> Float[np.ndarray, " dim"]:
    assert job.training.path is not None  # parsed: it goes with w_star=file
    path = Path(job.training.path)
    w_star = weights.load(path, problem.model.layout).astype(job.precision)
    loss, _ = full_loss(w_star, problem)
    require(math.isfinite(loss), "training.path", str(path), f"weights at which L_n is finite, here it is {loss}")
    return w_star


def _train(job: Job, problem: Problem) -> tuple[Float[np.ndarray, " dim"], int, int, str]:
    model, data, loss_fn = problem
    config, rows = job.training, batch(data.x, data.y, data.sigma, job.precision)
    w, steps, grad_norm = _descend(
        seeds.key(job.seed, "training"),
        model.init(seeds.key(job.seed, "init")),
        rows,
        {"peak": config.learning_rate, "momentum": config.momentum, "weight_decay": config.weight_decay},
        config.grad_tol,
        loss_fn=loss_fn,
        optimizer=config.optimizer,
        n_steps=config.steps,
        batch_size=_batch_size(config, len(data.x)),
    )
    if config.polish_steps == 0:
        return np.asarray(w), int(steps), 0, "grad_tol" if float(grad_norm) <= config.grad_tol else "step_limit"
    # n L_n(w) + ½‖w − w_t‖²: a pull of the strength that γ = 1 has at β = 1.
    n = float(len(data.x))
    grad_tol = tolerance(n, 1 / n)
    end = polish(w, rows, 1 / n, grad_tol, config.polish_steps, loss_fn=loss_fn)
    stopped = "polished" if end.grad_norm <= grad_tol else "step_limit" if end.falling else "rounding"
    return np.asarray(end.w), int(steps), int(end.steps), stopped


def _batch_size(config: TrainingConfig, n: int) -> int | None:
    return None if config.batch_size is None or config.batch_size >= n else config.batch_size


@partial(jax.jit, static_argnames=("loss_fn", "optimizer", "n_steps", "batch_size"))
def _descend(
    key: Key[Array, ""],
    w: Params,
    data: Batch,
    hyper: dict[str, Any],
    grad_tol: Number,
    *,
    loss_fn: Loss,
    optimizer: str,
    n_steps: int,
    batch_size: int | None,
) -> tuple[Params, Array, Array]:
    """Descend for at most ``n_steps``; return w, the steps taken and ‖∇L_n(w)‖.

    The steps run in scans of ``CHECK_EVERY``; between two of them the full gradient decides
    whether to go on. Learning rate and tolerance are traced: a sweep over them compiles once.
    """

    def schedule(step: Array) -> Array:
        return 0.5 * hyper["peak"] * (1 + jnp.cos(jnp.pi * step / n_steps))

    make = {
        "adam": lambda: optax.adam(schedule),
        "adamw": lambda: optax.adamw(schedule, weight_decay=hyper["weight_decay"]),
        "sgd": lambda: optax.sgd(schedule, momentum=hyper["momentum"]),
    }
    descent = make[optimizer]()
    gradient = jax.grad(loss_fn)

    def step(carry: Any, index: Array) -> Any:
        w, state, done = carry
        rows = data
        if batch_size is not None:
            picked = jax.random.randint(jax.random.fold_in(key, done + index), (batch_size,), 0, len(data.x))
            rows = take(data, picked)
        updates, new_state = descent.update(gradient(w, rows), state, w)
        # The last scan may reach past the limit; steps past it change nothing.
        go = done + index < n_steps
        keep = partial(jax.tree.map, lambda new, old: jnp.where(go, new, old))
        return (keep(optax.apply_updates(w, updates), w), keep(new_state, state), done), None

    def block(carry: Any) -> Any:
        (w, state, done), _ = jax.lax.scan(step, carry[:3], jnp.arange(CHECK_EVERY))
        return w, state, jnp.minimum(done + CHECK_EVERY, n_steps), jnp.linalg.norm(gradient(w, data))

    def unfinished(carry: Any) -> Array:
        _, _, done, grad_norm = carry
        return (done < n_steps) & (grad_norm > grad_tol)  # false as soon as it is NaN

    start = (w, descent.init(w), jnp.array(0), jnp.linalg.norm(gradient(w, data)))
    w, _, done, grad_norm = jax.lax.while_loop(unfinished, block, start)
    return w, done, grad_norm


def save(target: Target, job: Job, folder: Path, core_s: float = 0.0) -> None:
    """Write ``target.npz``, then ``target.json``, whose presence means the target is complete.

    ``core_s`` is what it took, in core-seconds: plans are made with it.
    """
    with artifacts.whole(folder / "target.npz") as path:
        np.savez(path, w_star=target.w_star)
    about = {"target_id": target_id(job), "n_params": len(target.w_star), **target._asdict()}
    about |= {"w_star_sha256": hashlib.sha256(target.w_star.tobytes()).hexdigest(), "code": code.modules("target")}
    about["core_s"] = core_s
    del about["w_star"]
    artifacts.write_json(folder / "target.json", about)


def load(folder: Path, job: Job, problem: Problem) -> Target:
    """Read a target back, and make sure that it is the one that ``job`` samples around.

    Raises
    ------
    BadTarget
        If it is damaged, another configuration's, or was trained on other data.
    """
    about, w_star = records.read_target(folder)
    if about["target_id"] != target_id(job):
        raise BadTarget(folder, f"it is target {about['target_id']}, this job needs {target_id(job)}")
    try:
        found = Target(w_star, **{key: about[key] for key in Target._fields if key != "w_star"})
    except KeyError as error:
        raise BadTarget(folder, f"it is damaged (no {error})") from None
    if found.data_sha256 != problem.data.sha256():
        # Another kind of machine may round a teacher's labels otherwise; the loss then still agrees.
        loss, _ = full_loss(w_star, problem)
        if not math.isclose(loss, found.loss, rel_tol=1e-9, abs_tol=1e-12):
            raise BadTarget(
                folder, f"its L_n(w*) is {found.loss}, on this job's data it is {loss}: trained on other data"
            )
    return found


def full_loss(w_star: Float[np.ndarray, " dim"], problem: Problem) -> tuple[float, float]:
    """Return L_n(w*) and ‖∇L_n(w*)‖ over all the data, in float64."""
    data = problem.data
    with jax.enable_x64(True):
        rows = batch(data.x, data.y, data.sigma, "float64")
        loss, gradient = jax.jit(jax.value_and_grad(problem.loss_fn))(jnp.asarray(w_star, jnp.float64), rows)
        return float(loss), float(jnp.linalg.norm(gradient))
