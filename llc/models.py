"""Networks by name. A model is pure functions of one flat parameter vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from llc import teachers
from llc.config import CrossingModel, DlnModel, MlpModel, QuadraticModel
from llc.widths import count_params, hidden_widths

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "identity": lambda x: x,
}


class Model(NamedTuple):
    """A network with ``n_params`` parameters in one flat vector w."""

    widths: tuple[int, ...]  # d_0 … d_L
    n_params: int
    init: Callable[[Key[Array, ""]], Float[Array, " dim"]]
    apply: Callable[[Float[Array, " dim"], Float[Array, "n d_in"]], Float[Array, "n d_out"]]
    teach: Callable[[np.random.Generator], Float[np.ndarray, " dim"]]  # draws a teacher's weights
    linear: bool  # whether apply(w, x) is linear in x


def build(config: MlpModel | DlnModel | QuadraticModel | CrossingModel) -> Model:
    """Return the model that a parsed configuration describes."""
    if isinstance(config, MlpModel):
        return _mlp(config)
    if isinstance(config, DlnModel):
        return _dln(config)
    return _quadratic(config) if isinstance(config, QuadraticModel) else _crossing(config)


def _mlp(config: MlpModel) -> Model:
    widths = (config.d_in, *hidden_widths(config), config.d_out)
    activation = ACTIVATIONS[config.activation]

    def apply(w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
        *hidden_layers, last = _layers(w, widths, bias=True)
        for layer in hidden_layers:
            x = activation(x @ layer[:-1] + layer[-1])
        return x @ last[:-1] + last[-1]

    def init(key: Key[Array, ""]) -> Float[Array, " dim"]:
        """Kernels N(0, 1/fan_in), biases 0 (LeCun et al. 1998)."""
        keys = jax.random.split(key, len(widths) - 1)
        parts = []
        for k, (d_in, d_out) in zip(keys, pairwise(widths), strict=True):
            parts += [jax.random.normal(k, (d_in * d_out,)) / np.sqrt(d_in), jnp.zeros(d_out)]
        return jnp.concatenate(parts)

    def teach(rng: np.random.Generator) -> Float[np.ndarray, " dim"]:
        parts = []
        for d_in, d_out in pairwise(widths):
            parts += [rng.normal(size=d_in * d_out) / np.sqrt(d_in), np.zeros(d_out)]
        return np.concatenate(parts)

    return Model(widths, count_params(widths, bias=True), init, apply, teach, linear=False)


def _dln(config: DlnModel) -> Model:
    assert config.widths is not None  # parsed: filled in
    widths = tuple(config.widths)

    def apply(w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
        for layer in _layers(w, widths, bias=False):
            x = x @ layer
        return x

    def init(key: Key[Array, ""]) -> Float[Array, " dim"]:
        keys = jax.random.split(key, len(widths) - 1)
        layers = [
            jax.random.normal(k, (d_in * d_out,)) / np.sqrt(d_in)
            for k, (d_in, d_out) in zip(keys, pairwise(widths), strict=True)
        ]
        return jnp.concatenate(layers)

    def teach(rng: np.random.Generator) -> Float[np.ndarray, " dim"]:
        if config.teacher == "reduced":
            return teachers.reduced(rng, widths)
        return teachers.aligned(rng, widths, config.rank)

    return Model(widths, count_params(widths, bias=False), init, apply, teach, linear=True)


def _quadratic(config: QuadraticModel) -> Model:
    d_in = config.d_in

    def apply(w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
        return x @ w[:, None]

    def init(key: Key[Array, ""]) -> Float[Array, " dim"]:
        return jax.random.normal(key, (d_in,)) / np.sqrt(d_in)

    def teach(rng: np.random.Generator) -> Float[np.ndarray, " dim"]:
        return rng.normal(size=d_in) / np.sqrt(d_in) if config.teacher == "random" else np.zeros(d_in)

    return Model((d_in, 1), d_in, init, apply, teach, linear=True)


def _crossing(config: CrossingModel) -> Model:
    a, b = config.exponents

    def apply(w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
        return x * w[0] ** a * w[1] ** b

    def init(key: Key[Array, ""]) -> Float[Array, " dim"]:
        return jax.random.normal(key, (2,))

    return Model((1, 1), 2, init, apply, lambda rng: np.zeros(2), linear=True)


def _layers(w: Float[Array, " dim"], widths: Sequence[int], *, bias: bool) -> list[Float[Array, "rows d_out"]]:
    """Cut the flat vector into layers, first one first: d_in rows of weights, then one of biases."""
    layers, start = [], 0
    for d_in, d_out in pairwise(widths):
        size = (d_in + bias) * d_out
        layers.append(w[start : start + size].reshape(d_in + bias, d_out))
        start += size
    return layers
