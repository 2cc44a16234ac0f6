"""The loss L_n of a job: the average negative log likelihood, or the mean of a user's own function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped

from llc import seeds
from llc.compiled.programs import HashablePartial, compiled, hashable
from llc.config import Job, OwnModel, require
from llc.loss.gradient_check import some
from llc.loss.likelihood import Batch, batch, negative_log_likelihood
from llc.loss.mean_check import require_mean
from llc.loss.rows import Loss, Params
from llc.targets.data import Dataset, Labels
from llc.targets.models import Model
from llc.user import own

Apply = Callable[[Params, Shaped[Array, "n ..."]], Float[Array, "n ..."]]


def build(job: Job, model: Model, data: Dataset) -> tuple[Loss, Dataset]:
    """Return the loss of a parsed ``job``, and its data with the σ and the shape of labels that it takes.

    Raises
    ------
    ConfigError
        If outputs and labels do not fit each other or the loss.
    TypeError, ValueError
        If a user's own loss is not what it must be.
    """
    if "." in job.loss:
        of_row = hashable(own.load("loss", job.loss, own.folder(job)))
        loss_fn = HashablePartial(_mean, model.apply, of_row)
        _check_own(job, of_row, loss_fn, model, data)
        return loss_fn, data
    if data.y.dtype.kind == "f" and data.y.ndim == 1:
        data = data._replace(y=data.y[:, None], y_test=data.y_test[:, None])
    _check_fit(job, model, data)
    if job.loss == "mse":  # of data whose outputs were not known before
        data = data._replace(sigma=math.sqrt(data.y.shape[1] / 2))
    return HashablePartial(negative_log_likelihood, model.apply), data


def written(job: Job) -> list[str]:
    """Return what of the loss a user has written."""
    return ([job.model._target_] if isinstance(job.model, OwnModel) else []) + ([job.loss] if "." in job.loss else [])


def some_rows(data: Dataset) -> Batch:
    """Return some of the data in float64, for checks of what a user has written."""
    few = some(len(data.x))
    return batch(data.x[few], data.y[few], data.sigma, "float64")


def squares(job: Job, data: Dataset) -> bool:
    """Return whether L_n is a mean square of y − f(x)."""
    return job.loss in ("nll", "mse") and data.y.dtype.kind == "f"


def _mean(apply: Apply, function: Callable[[Array, Array], Array], w: Params, data: Batch) -> Float[Array, ""]:
    return jnp.mean(_each(apply, function, w, data))


def _each(apply: Apply, function: Callable[[Array, Array], Array], w: Params, data: Batch) -> Any:
    return function(apply(w, data.x), data.y)


def _check_fit(job: Job, model: Model, data: Dataset) -> None:
    what = f"{data.x.dtype} {data.x.shape} and labels {data.y.dtype} {data.y.shape}"
    inputs = model.widths[:1]
    require(inputs in ((), data.x.shape[1:]), "model: inputs", inputs, f"those of the data, which are {what}")
    classes = data.y.dtype.kind == "i"
    require(classes or job.loss != "cross_entropy", "loss", job.loss, f"nll or mse: the labels are real, {what}")
    require(not classes or job.loss != "mse", "loss", job.loss, f"nll or cross_entropy: the labels are classes, {what}")
    made = _outputs(job, model, data)
    if classes:
        n, k = len(data.x), int(data.y.max()) + 1
        fits = data.y.ndim == 1 and made is not None and len(made) == 2 and made[0] == n and made[1] >= k
        must = f"(n, classes ≥ {k}) for n={n} rows with labels (n,), data are {what}; or give a loss of your own"
    else:
        fits, must = made == data.y.shape, f"of the shape of the labels, data are {what}"
    require(fits, "model: outputs", made, must)
    check_labels("data", data.y, job, model, data)
    check_labels("data: test rows", data.y_test, job, model, data)


def check_labels(key: str, y: Labels, job: Job, model: Model, data: Dataset) -> None:
    """Raise ConfigError unless labels that are classes are outputs of the model: a negative one counts from its end.

    A user's own loss may take others.
    """
    if y.dtype.kind == "i" and len(y) and "." not in job.loss:
        k = _outputs(job, model, data)[1]
        must = f"classes 0 … {k - 1}, an output of the model each; real targets are floats"
        require(bool(y.min() >= 0 and y.max() < k), f"{key}: labels", f"{y.min()} … {y.max()}", must)


def _outputs(job: Job, model: Model, data: Dataset) -> Any:
    return getattr(compiled.eval_shape(model.apply, *_arguments(job, model, data)), "shape", None)


def _check_own(job: Job, function: Any, loss_fn: Loss, model: Model, data: Dataset) -> None:
    w, _ = _arguments(job, model, data)
    rows = batch(data.x, data.y, data.sigma, job.precision)
    of = compiled.eval_shape(HashablePartial(_each, model.apply, function), w, rows)
    what, shape = f"loss={job.loss!r}", getattr(of, "shape", None)
    if shape not in ((), (len(data.x),)):
        raise TypeError(f"{what}: must return a number a row, ({len(data.x)},), or their mean; it returned {of}")
    if shape == ():
        require_mean(what, loss_fn, model.init(seeds.key(job.seed, "init")), rows)


def _arguments(job: Job, model: Model, data: Dataset) -> tuple[Any, Any]:
    w = jax.ShapeDtypeStruct((model.n_params,), job.precision)
    return w, jax.ShapeDtypeStruct(data.x.shape, data.x.dtype if data.x.dtype.kind == "i" else job.precision)
