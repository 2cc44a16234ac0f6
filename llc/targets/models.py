"""Networks by name. A model is pure functions of one flat parameter vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, Shaped

from llc.compiled.programs import HashablePartial, compiled, hashable
from llc.config import CrossingModel, DlnModel, MlpModel, OwnModel, QuadraticModel
from llc.jobs.widths import Layout, count_params, hidden_widths, layout
from llc.targets import teachers, trees
from llc.user import own

# Rows are columns in networks that are narrower, where there are so many rows for each unit of the widest layer: to
# turn around a minibatch, of which each chain has its own, takes a tenth of a step.
WIDE, MANY_ROWS = 64, 4
# Parameters of a kernel of 64 x 64, whose gradients are faster of rows that were turned around: those of eight networks
# of such, of 16 to 1,000 rows, took 0.88 to 1.05 of the time, mostly 0.93; of kernels of 80 x 80 and more 1.01 to 1.10.
TURNED = 4_096

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "gelu": jax.nn.gelu,
    "identity": lambda x: x,
}


class Model(NamedTuple):
    """A network with ``n_params`` parameters in one flat vector w."""

    widths: tuple[int, ...]  # d_0 … d_L; none of a user's own
    n_params: int
    init: Callable[[Key[Array, ""]], Float[Array, " dim"]]
    apply: Callable[[Float[Array, " dim"], Shaped[Array, "n ..."]], Float[Array, "n ..."]]
    teach: Callable[[np.random.Generator], Float[np.ndarray, " dim"]] | None  # draws a teacher's weights
    linear: bool  # whether apply(w, x) is linear in x
    layout: Layout  # name and shape of each parameter, in the order of w


def build(config: MlpModel | DlnModel | QuadraticModel | CrossingModel) -> Model:
    """Return the model that a parsed configuration describes."""
    if isinstance(config, MlpModel):
        return _mlp(config)
    if isinstance(config, DlnModel):
        return _dln(config)
    return _quadratic(config) if isinstance(config, QuadraticModel) else _crossing(config)


def build_own(config: OwnModel, folder: Path, x: Shaped[np.ndarray, "n ..."], precision: str) -> Model:
    """Return the model that a user's function makes, for inputs such as ``x``.

    What it makes has ``init(key, x)`` or ``init(key)``, which returns a pytree of float arrays, and
    ``apply(params, x)``, the outputs (n, …) of n rows; or is the pair of the two.

    Raises
    ------
    TypeError
        If it is not such a pair.
    """
    key = "model._target_"
    returned = own.call(key, config._target_, folder, config.args)
    pair: Any = (
        returned if isinstance(returned, tuple) else tuple(getattr(returned, name, None) for name in ("init", "apply"))
    )
    if len(pair) != 2 or not all(map(callable, pair)):
        must = "an object with init(key, x) and apply(params, x), or the pair of them"
        raise TypeError(f"{key}={config._target_!r}: must return {must}; it returned {type(returned).__name__}")
    own_init, own_apply = pair
    some = jnp.asarray(x[:1])

    def start(key: Key[Array, ""]) -> trees.Flat:
        params = own_init(key, some) if own.takes(own_init, key, some) else own_init(key)
        return trees.ravel(params, precision, f"model._target_={config._target_!r}: what init returns")

    like = start(jax.random.key(0))
    made_by = hashable(own.load(key, config._target_, folder))
    apply = _OwnApply(made_by, repr(config.args), like.unravel, own_apply)
    return Model((), like.w.size, lambda key: start(key).w, apply, None, linear=False, layout=like.layout)


@dataclass(frozen=True)
class _OwnApply:
    """A user's network; two are equal that the same function made of the same args."""

    made_by: Callable[..., Any]
    args: str
    unravel: Callable[[Float[Array, " dim"]], trees.Tree]
    apply: Callable[[trees.Tree, Array], Any] = field(compare=False)

    def __call__(self, w: Float[Array, " dim"], x: Shaped[Array, "n ..."]) -> Any:
        """Return what the user's function returns."""
        return self.apply(self.unravel(w), x)


def _mlp(config: MlpModel) -> Model:
    widths = (config.d_in, *hidden_widths(config), config.d_out)
    apply = HashablePartial(_apply_mlp, widths, config.activation)

    init = partial(compiled, HashablePartial(_init, widths, True))

    def teach(rng: np.random.Generator) -> Float[np.ndarray, " dim"]:
        parts = []
        for d_in, d_out in pairwise(widths):
            parts += [rng.normal(size=d_in * d_out) / np.sqrt(d_in), np.zeros(d_out)]
        return np.concatenate(parts)

    return Model(widths, count_params(widths, bias=True), init, apply, teach, linear=False, layout=layout(config))


def _apply_mlp(
    widths: tuple[int, ...], activation: str, w: Float[Array, " dim"], x: Float[Array, "n d_in"]
) -> Float[Array, "n d_out"]:
    *hidden_layers, (kernel, bias) = _layers(w, widths)
    if max(widths[1:]) >= WIDE or len(x) < MANY_ROWS * max(widths):
        for k, b in hidden_layers:
            x = ACTIVATIONS[activation]((_product(x, k) if k.size <= TURNED else x @ k) + b)
        return x @ kernel + bias
    # A row of data is a column: what is done to each value then runs along many rows, not along few units. With all
    # rows of 3-10-1 or of digits, and 4 chains, a gradient takes 0.4 of the time so.
    columns = x.T
    for k, b in hidden_layers:
        columns = ACTIVATIONS[activation](k.T @ columns + b[:, None])
    return (kernel.T @ columns + bias[:, None]).T


@jax.custom_vjp
def _product(x: Float[Array, "n d_in"], kernel: Float[Array, "d_in d_out"]) -> Float[Array, "n d_out"]:
    """Return x @ kernel, whose gradient turns x around: XLA has no fast product down the rows of both.

    As all whose gradient is written by hand, it is differentiated backward first: ``jax.hessian``, but not ``jax.jvp``.
    """
    return x @ kernel


def _product_back(
    saved: tuple[Float[Array, "n d_in"], Float[Array, "d_in d_out"]], g: Float[Array, "n d_out"]
) -> tuple[Float[Array, "n d_in"], Float[Array, "d_in d_out"]]:
    x, kernel = saved
    return g @ kernel.T, jax.lax.optimization_barrier(x.T) @ g


_product.defvjp(lambda x, kernel: (x @ kernel, (x, kernel)), _product_back)


def _dln(config: DlnModel) -> Model:
    assert config.widths is not None  # parsed: filled in
    widths = tuple(config.widths)
    apply = HashablePartial(_apply_dln, widths)

    init = partial(compiled, HashablePartial(_init, widths, False))

    def teach(rng: np.random.Generator) -> Float[np.ndarray, " dim"]:
        if config.teacher == "reduced":
            return teachers.reduced(rng, widths)
        return teachers.aligned(rng, widths, config.rank)

    return Model(widths, count_params(widths, bias=False), init, apply, teach, linear=True, layout=layout(config))


def _apply_dln(widths: tuple[int, ...], w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
    columns = x.T
    for kernel, _ in _layers(w, widths, bias=False):
        columns = kernel.T @ columns
    return columns.T


def _quadratic(config: QuadraticModel) -> Model:
    d_in = config.d_in

    def init(key: Key[Array, ""]) -> Float[Array, " dim"]:
        return jax.random.normal(key, (d_in,)) / np.sqrt(d_in)

    def teach(rng: np.random.Generator) -> Float[np.ndarray, " dim"]:
        return rng.normal(size=d_in) / np.sqrt(d_in) if config.teacher == "random" else np.zeros(d_in)

    return Model((d_in, 1), d_in, init, _apply_quadratic, teach, linear=True, layout=layout(config))


def _apply_quadratic(w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
    return x @ w[:, None]


def _crossing(config: CrossingModel) -> Model:
    apply = HashablePartial(_apply_crossing, *config.exponents)

    def init(key: Key[Array, ""]) -> Float[Array, " dim"]:
        return jax.random.normal(key, (2,))

    return Model((1, 1), 2, init, apply, lambda rng: np.zeros(2), linear=True, layout=layout(config))


def _apply_crossing(a: int, b: int, w: Float[Array, " dim"], x: Float[Array, "n d_in"]) -> Float[Array, "n d_out"]:
    return x * w[0] ** a * w[1] ** b


def _init(widths: tuple[int, ...], bias: bool, key: Key[Array, ""]) -> Float[Array, " dim"]:
    """Return kernels N(0, 1/fan_in), biases 0 (LeCun et al. 1998)."""
    keys = jax.random.split(key, len(widths) - 1)
    parts = []
    for k, (d_in, d_out) in zip(keys, pairwise(widths), strict=True):
        parts += [jax.random.normal(k, (d_in * d_out,)) / np.sqrt(d_in), jnp.zeros(bias * d_out)]
    return jnp.concatenate(parts)


def _layers(
    w: Float[Array, " dim"], widths: Sequence[int], *, bias: bool = True
) -> list[tuple[Float[Array, "_ _"], Float[Array, " _"]]]:
    """Cut the flat vector into kernels and biases, first layer first; a bias is empty where there are none.

    In one split, of which the gradient comes back as one concatenation. Of slices it is a sum of padded
    arrays, with which a step of SGLD took 6 % longer; of a layer with its bias as one more row, half as long again.
    """
    sizes = [size for d_in, d_out in pairwise(widths) for size in (d_in * d_out, bias * d_out)]
    parts = jnp.split(w, np.cumsum(sizes)[:-1])
    kernels = [part.reshape(shape) for part, shape in zip(parts[::2], pairwise(widths), strict=True)]
    return list(zip(kernels, parts[1::2], strict=True))
