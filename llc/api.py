"""The estimator as one call, without files: ``llc.estimate``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Integral, Number
from typing import Any, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from llc.compiled import constants
from llc.compiled.programs import HashablePartial, compiled
from llc.config import (
    SAMPLERS,
    ConfigError,
    PosteriorConfig,
    SamplerConfig,
    nearest,
    require,
    require_choice,
    require_name,
    require_number,
)
from llc.config.job import PRECISIONS
from llc.estimates.estimator import AtEnds, AtStar
from llc.jobs.restrict import moving
from llc.loss.gradient_check import require_gradient, unseen
from llc.loss.mean_check import require_mean
from llc.loss.rows import Data, Loss, Params, Scalar, loss_and_gradient
from llc.posterior import tempered
from llc.sampling import Sampled, sample
from llc.targets import ends, trees
from llc.targets.polish import deficit
from llc.targets.trees import Tree


def _flattened(
    loss_fn: Callable[[Tree, Data], Scalar], unravel: Callable[[Params], Tree], w: Params, data: Data
) -> Any:
    return loss_fn(unravel(w), data)


def estimate(
    loss_fn: Callable[[Tree, Data], Scalar],
    w_star: Tree,
    data: Data,
    sampler: str = "nuts",
    *,
    beta0: float = PosteriorConfig.beta0,
    beta: float | None = PosteriorConfig.beta,
    gamma: float = PosteriorConfig.gamma,
    restrict: str | list[str] | None = PosteriorConfig.restrict,
    evaluate: Mapping[str, Data] | None = None,
    seed: SupportsIndex = 0,
    precision: str = "float32",
    **settings: Any,
) -> Sampled:
    r"""Estimate the local learning coefficient of any JAX loss at ``w_star``.

    .. math:: \hat\lambda = n\beta\,(E[L_n(w)] - L_n(w^*)), \quad
        p(w) \propto \exp(-n\beta L_n(w) - \tfrac{\gamma}{2}\|w - w^*\|^2)

    Parameters
    ----------
    loss_fn
        ``loss_fn(w, batch)``, the mean over the rows of ``batch`` of their negative log likelihood in
        nats, for w like ``w_star`` and batch like ``data``. With another scale λ̂ is off by that
        factor. It is compiled: the same function is compiled once, a new lambda each time, so that what
        it reads must be in w or batch.
    w_star
        A pytree of float arrays, a local minimum of the loss.
    data
        A pytree of arrays with one leading axis of n rows; a scalar in it is of all rows.
    sampler
        ``nuts``, ``hmc``, ``mclmc`` or ``sgld``.
    beta0, beta, gamma
        β = beta0 / log n unless ``beta`` is given, and the localisation γ.
    restrict
        Only the parameters whose name, their path in ``w_star`` such as ``layers/0/kernel``, matches a
        pattern move; the others stay at w*. None: all.
    evaluate
        Other data by name, each like ``data`` with any number of rows: L of each draw is recorded
        on them, and ``estimate.elsewhere`` has nβ (E[L] − L(w*)) on each.
    seed
        The same call with the same seed gives the same numbers, bit by bit.
    precision
        ``float32`` or ``float64``, of sampling; L_n(w*) is in float64 always.
    **settings
        Of the sampler, as ``sampler.nuts`` has them in ``llc/config/samplers.py``, such as
        ``draws=500`` or ``budget=50_000``.

    Returns
    -------
    Sampled
        ``estimate`` has ``llc_mean``, ``llc_mcse``, diagnostics, ``status`` and ``reason``; ``trace``
        has L_n of each chain and kept draw; ``to_arviz()`` makes an InferenceData of it.

    Raises
    ------
    ConfigError
        If a setting does not exist or has a wrong value.
    TypeError, ValueError
        If the loss, the parameters or the data are not what they must be.

    References
    ----------
    Lau et al. (2023), arXiv 2308.12108.
    """
    constants.by_precision()
    require_choice("precision", precision, PRECISIONS)
    number = _plain(seed)
    require(isinstance(number, Integral) and 0 <= int(number) < 2**31, "seed", seed, "an integer in 0 … 2³¹ − 1")
    for name, value in {"beta0": beta0, "beta": beta, "gamma": gamma}.items():
        require_number(f"posterior.{name}", value)
    config = PosteriorConfig(beta0=beta0, beta=beta, gamma=gamma, restrict=restrict)
    chosen = _settings(sampler, {key: _plain(value) for key, value in settings.items()})
    elsewhere = dict(evaluate or {})
    for name in elsewhere:
        require_name("evaluate", name)
    try:
        hash(loss_fn)
    except TypeError:
        what = "loss_fn: must be hashable, as a function is; of an object that holds arrays take its method"
        raise TypeError(what) from None
    with jax.enable_x64(precision == "float64"):
        flat = trees.ravel(w_star, precision, "w_star")
        loss = HashablePartial(_flattened, loss_fn, flat.unravel)
        posterior = tempered(
            loss, trees.rows(data, precision, "data"), flat.w, config, precision,
            moving=None if config.restrict is None else moving(config.restrict, flat.layout),
            others={name: trees.rows(other, precision, f"evaluate[{name!r}]", 1) for name, other in elsewhere.items()},
        )  # fmt: skip
    require(posterior.w_star.size > 0, "restrict", restrict, "of parameters that are numbers: none of these can move")
    w = np.asarray(flat.w)
    loss_star, grad_norm = loss_at(loss, w, data)
    require(math.isfinite(loss_star), "loss_fn(w_star, data)", loss_star, "a finite number")
    require(math.isfinite(grad_norm), "norm of the gradient of loss_fn at w_star", grad_norm, "a finite number")
    losses_elsewhere = {name: _loss_elsewhere(f"evaluate[{name!r}]", loss, w, of) for name, of in elsewhere.items()}

    def exact(at: Float[np.ndarray, "chains dim"]) -> AtEnds:
        with jax.enable_x64(True):
            whole = ends.whole(w, None if posterior.moving is None else np.asarray(posterior.moving), at)
            rows = trees.rows(data, "float64", "data", 1)
            of = HashablePartial(loss_and_gradient, loss)
            losses = np.array([float(compiled(of, jnp.asarray(each), rows)[0]) for each in whole])
            return AtEnds(losses, unseen(loss, jnp.asarray(w, jnp.float64), jnp.asarray(whole), rows))

    with jax.enable_x64(precision == "float64"):
        at_star = AtStar(loss_star, grad_norm, deficit(posterior, grad_norm), losses_elsewhere=losses_elsewhere)
        return sample(sampler, chosen, posterior, config, at_star, exact, seed=int(number))


def _plain(value: Any) -> Any:
    """Return a number of NumPy or JAX as Python's."""
    return value.item() if isinstance(value, np.generic | jax.Array) and np.ndim(value) == 0 else value


def _loss_elsewhere(what: str, loss_fn: Loss, w: Float[np.ndarray, " dim"], data: Data) -> float:
    try:
        loss, _ = loss_at(loss_fn, w, data)
    except (KeyError, IndexError, AttributeError, TypeError) as error:
        raise TypeError(f"{what}: the loss fails on it, so it is not like the data: {error!r}") from error
    require(math.isfinite(loss), what, loss, "data on which the loss at w_star is a finite number")
    return loss


def _settings(sampler: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a sampler, those that are not given at their defaults, and checked."""
    require_choice("sampler", sampler, [name for name in SAMPLERS if name != "gibbs"])
    settings = OmegaConf.structured(getattr(SamplerConfig(), sampler))  # as a job's are, typed
    for key, value in given.items():
        if key not in settings:
            hint = nearest(key, settings) or f": it has {', '.join(settings)}"
            raise ConfigError(f"{key}={value!r}: sampler {sampler} has no such setting{hint}")
        name = f"sampler.{sampler}.{key}"
        if isinstance(value, Number) and not isinstance(value, bool):
            require_number(name, value)
        try:
            settings[key] = value
        except OmegaConfBaseException as error:
            raise ConfigError(f"{name}: {str(error).splitlines()[0]}") from None
    checked: Any = OmegaConf.to_object(settings)
    return vars(checked)


def loss_at(loss_fn: Loss, w: Float[np.ndarray, " dim"], data: Data) -> tuple[float, float]:
    """Return L_n(w) and ‖∇L_n(w)‖ over all the data, in float64, once it is sure that they are what they must be.

    Raises
    ------
    TypeError, ValueError
        If the loss is not one real number, or no mean over rows, or its gradient is another one's.
    """
    with jax.enable_x64(True):
        w64, rows = jnp.asarray(w, jnp.float64), trees.rows(data, "float64", "data", 1)
        of = compiled.eval_shape(loss_fn, w64, rows)
        if not (isinstance(of, jax.ShapeDtypeStruct) and of.shape == () and jnp.issubdtype(of.dtype, jnp.floating)):
            raise TypeError(f"loss_fn: it must return one real number, the mean over rows, got {of}")
        require_mean("loss_fn", loss_fn, w64, rows)
        require_gradient("loss_fn", loss_fn, w64, rows)
        loss, gradient = compiled(HashablePartial(loss_and_gradient, loss_fn), w64, rows)
        return float(loss), float(jnp.linalg.norm(gradient))
