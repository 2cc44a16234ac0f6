"""The tempered, localised posterior p(w) ∝ exp(−nβ L_n(w) − (γ/2)‖w − w*‖²).

L_n is the average negative log likelihood, up to a constant: with another scale λ̂ would be
off by that factor. β = 1/log n is the temperature of WBIC (Watanabe 2013, JMLR 14, 867–897); the
localising term and the estimator are Lau et al. (2023), arXiv 2308.12108.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from llc.config import PosteriorConfig
from llc.loss.rows import Data, Loss, Params, Scalar, mean_loss, n_rows, take

TRACED = ("data", "full", "w_star", "nbeta", "gamma", "whole_star", "moving", "others")


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class Posterior:
    """The density that every sampler draws from. Data and hyperparameters are traced."""

    loss_fn: Loss
    data: Data  # the n rows that minibatches are drawn from
    full: Data  # rows whose mean loss is L_n: the same, or fewer that are sufficient
    w_star: Params
    nbeta: Scalar
    gamma: Scalar
    linear_widths: tuple[int, ...] | None = None  # d_0 … d_L of a deep linear network with real targets
    # Where only some parameters move, w is these alone: all of them at w*, and the places of those that move.
    whole_star: Float[Array, " whole"] | None = None
    moving: Int[Array, " dim"] | None = None
    others: dict[str, Data] = field(default_factory=dict)  # data on which the loss is recorded beside

    @property
    def n(self) -> int:
        """Number of data."""
        return n_rows(self.data)

    def loss(self, w: Params) -> Scalar:
        """Return L_n(w) over all the data."""
        return self._loss_on(self.full, w)

    def elsewhere(self, w: Params) -> dict[str, Scalar]:
        """Return the loss on each of the other data, named as in a trace."""
        return {f"loss_{name}": self._loss_on(data, w) for name, data in self.others.items()}

    def potential(self, w: Params) -> Scalar:
        """Return U(w) = nβ L_n(w) + (γ/2)‖w − w*‖²."""
        return self.nbeta * self.loss(w) + self._localisation(w)

    def loss_of_potential(self, potential: Scalar, w: Params) -> Scalar:
        """Return L_n(w) from U(w), which a sampler has at hand, without touching the data."""
        return (potential - self._localisation(w)) / self.nbeta

    def gradient(self, w: Params, rows: Int[Array, " batch"] | None = None) -> Params:
        """Return ∇U(w), the loss averaged over the given rows instead of all."""
        data = self.full if rows is None else take(self.data, rows)
        return self.nbeta * jax.grad(partial(self._loss_on, data))(w) + self.gamma * (w - self.w_star)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """Split into what is traced and what a program is compiled for."""
        static = (self.loss_fn, self.linear_widths)
        return tuple(getattr(self, name) for name in TRACED), static

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], traced: tuple[Any, ...]) -> Posterior:
        """Put together again, unchecked: JAX also does so with placeholders for arrays."""
        new = object.__new__(cls)
        for name, value in zip(("loss_fn", "linear_widths", *TRACED), (*static, *traced), strict=True):
            object.__setattr__(new, name, value)
        return new

    def _loss_on(self, data: Data, w: Params) -> Scalar:
        whole = w if self.whole_star is None else self.whole_star.at[self.moving].set(w)
        return mean_loss(self.loss_fn, whole, data)

    def _localisation(self, w: Params) -> Scalar:
        return 0.5 * self.gamma * jnp.sum((w - self.w_star) ** 2)


loss_at = jax.jit(Posterior.loss)  # L_n(w), outside of compiled functions


def inverse_temperature(config: PosteriorConfig, n: int) -> float:
    """Return β: the fixed one, or beta0 / log n with n the number of data, never of a batch."""
    return config.beta if config.beta is not None else config.beta0 / math.log(n)


def tempered(
    loss_fn: Loss,
    data: Data,
    w_star: Float[np.ndarray, " dim"] | Params,
    config: PosteriorConfig,
    precision: str,
    *,
    full: Data | None = None,
    linear_widths: tuple[int, ...] | None = None,
    moving: Int[np.ndarray, " moving"] | None = None,
    others: dict[str, Data] | None = None,
) -> Posterior:
    """Return the posterior that a parsed configuration describes, around ``w_star``.

    Parameters
    ----------
    data
        In the given precision.
    full, linear_widths, others
        See ``Posterior``; None: all the data.
    moving
        Places of the parameters that move, the others stay at w*; None: all.
    """
    n, whole = n_rows(data), jax.device_put(w_star)
    return Posterior(
        loss_fn=loss_fn,
        data=data,
        full=data if full is None else full,
        w_star=whole if moving is None else whole[moving],
        nbeta=jax.device_put(np.asarray(n * inverse_temperature(config, n), precision)),
        gamma=jax.device_put(np.asarray(config.gamma, precision)),
        linear_widths=linear_widths if moving is None else None,
        whole_star=None if moving is None else whole,
        moving=None if moving is None else jnp.asarray(moving),
        others=others or {},
    )
