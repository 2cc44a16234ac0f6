"""Training: an optimizer, checkpoints of where it was, then a descent to the minimum within reach."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from llc import seeds
from llc.compiled.programs import compile_once
from llc.config import Job, PosteriorConfig, TrainingConfig
from llc.loss.likelihood import Batch, batch
from llc.loss.rows import Loss, Number, Params, Scalar, mean_loss, take
from llc.posterior import tempered
from llc.targets.data import Dataset
from llc.targets.models import Model
from llc.targets.polish import polish, tolerance

CHECK_EVERY = 50  # steps between looks at the gradient of the full loss


class Trained(NamedTuple):
    """Where training ended, and where it was on the way."""

    w: Float[np.ndarray, " dim"]
    steps: int  # of the optimizer
    polish_steps: int
    stopped: str  # why its last stage ended, see ``llc.targets.target.Target``
    checkpoints: dict[int, tuple[Float[np.ndarray, " dim"], int]]  # w after so many steps, and how many it took


class _At(NamedTuple):
    """Where the optimizer is."""

    w: Params
    state: optax.OptState
    done: Int[Array, ""]  # steps
    grad_norm: Scalar  # ‖∇L_n(w)‖, when it was last looked at


def train(job: Job, model: Model, data: Dataset, loss_fn: Loss) -> Trained:
    """Train a network as a parsed ``job`` says.

    A checkpoint changes nothing of what comes after it. One past the end of training is where it ended.
    """
    config, rows = job.training, batch(data.x, data.y, data.sigma, job.precision)
    hyper = {"peak": config.learning_rate, "momentum": config.momentum, "weight_decay": config.weight_decay}
    start = model.init(seeds.key(job.seed, "init"))
    at = _begin(start, hyper, optimizer=config.optimizer, n_steps=config.steps)
    kept = {}
    for until in [*(config.checkpoints or ()), config.steps]:
        args = seeds.key(job.seed, "training"), at, rows, hyper, config.grad_tol, until
        at = compile_once(
            _descend,
            *args,
            loss_fn=loss_fn,
            optimizer=config.optimizer,
            n_steps=config.steps,
            batch_size=_batch_size(config, len(data.x)),
        )(*args)
        kept[until] = np.asarray(at.w), int(at.done)
    checkpoints = {step: kept[step] for step in config.checkpoints or ()}
    steps = int(at.done)
    if config.polish_steps == 0:
        stopped = "grad_tol" if float(at.grad_norm) <= config.grad_tol else "step_limit"
        return Trained(np.asarray(at.w), steps, 0, stopped, checkpoints)
    # n L_n(w) + ½‖w − w_t‖²: a pull of the strength that γ = 1 has at β = 1.
    n = float(len(data.x))
    grad_tol = tolerance(n, 1 / n)
    # Of the posterior its loss alone counts: with it, the program is that of the deficit.
    posterior = tempered(loss_fn, rows, at.w, PosteriorConfig(beta=1.0), job.precision)
    end = polish(at.w, at.w, posterior, 1 / n, grad_tol, config.polish_steps)
    stopped = "polished" if float(end.grad_norm) <= grad_tol else "step_limit" if end.falling else "rounding"
    return Trained(np.asarray(end.w), steps, int(end.steps), stopped, checkpoints)


def _batch_size(config: TrainingConfig, n: int) -> int | None:
    return None if config.batch_size is None or config.batch_size >= n else config.batch_size


def _optimizer(name: str, hyper: dict[str, Any], n_steps: int) -> optax.GradientTransformation:
    def schedule(step: Array) -> Array:
        return 0.5 * hyper["peak"] * (1 + jnp.cos(jnp.pi * step / n_steps))

    make = {
        "adam": lambda: optax.adam(schedule),
        "adamw": lambda: optax.adamw(schedule, weight_decay=hyper["weight_decay"]),
        "sgd": lambda: optax.sgd(schedule, momentum=hyper["momentum"]),
    }
    return make[name]()


@partial(jax.jit, static_argnames=("optimizer", "n_steps"))
def _begin(w: Params, hyper: dict[str, Any], *, optimizer: str, n_steps: int) -> _At:
    return _At(w, _optimizer(optimizer, hyper, n_steps).init(w), jnp.array(0), jnp.array(jnp.inf, w.dtype))


@partial(jax.jit, static_argnames=("loss_fn", "optimizer", "n_steps", "batch_size"))
def _descend(
    key: Key[Array, ""],
    start: _At,
    data: Batch,
    hyper: dict[str, Any],
    grad_tol: Number,
    until: Int[Array, ""] | int,
    *,
    loss_fn: Loss,
    optimizer: str,
    n_steps: int,
    batch_size: int | None,
) -> _At:
    """Go on until so many of ``n_steps`` are done, or the gradient is small.

    The steps run in scans of ``CHECK_EVERY``; between two of them the full gradient decides
    whether to go on. Where the looks fall does not depend on ``until``. Learning rate, tolerance and
    ``until`` are traced: a sweep over them compiles once.
    """
    descent, gradient = _optimizer(optimizer, hyper, n_steps), jax.grad(partial(mean_loss, loss_fn))

    def step(carry: Any, index: Array) -> Any:
        w, state, done, end = carry
        rows = data
        if batch_size is not None:
            picked = jax.random.randint(jax.random.fold_in(key, done + index), (batch_size,), 0, len(data.x))
            rows = take(data, picked)
        updates, new_state = descent.update(gradient(w, rows), state, w)
        # The scan may reach past the end; steps past it change nothing.
        keep = partial(jax.tree.map, partial(jnp.where, done + index < end))
        return (keep(optax.apply_updates(w, updates), w), keep(new_state, state), done, end), None

    def block(at: _At) -> _At:
        end = jnp.minimum(until, (at.done // CHECK_EVERY + 1) * CHECK_EVERY)
        (w, state, _, _), _ = jax.lax.scan(step, (at.w, at.state, at.done, end), jnp.arange(CHECK_EVERY))
        look = (end % CHECK_EVERY == 0) | (end == n_steps)
        norm = jax.lax.cond(look, lambda: jnp.linalg.norm(gradient(w, data)), lambda: at.grad_norm)
        return _At(w, state, end, norm)

    def unfinished(at: _At) -> Array:
        return (at.done < until) & (at.grad_norm > grad_tol)  # false as soon as it is NaN

    first = jax.lax.cond(start.done == 0, lambda: jnp.linalg.norm(gradient(start.w, data)), lambda: start.grad_norm)
    return jax.lax.while_loop(unfinished, block, start._replace(grad_norm=first))
