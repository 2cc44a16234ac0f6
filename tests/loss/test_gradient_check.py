"""A loss whose gradient is another one's is refused, whatever else it is like, and no other loss is."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composing import TESTS, job
from jax import Array

from llc.loss.gradient_check import require_gradient, unseen
from llc.loss.mean_check import AWAY
from llc.loss.rows import Data, Loss
from llc.targets import target

RNG = np.random.default_rng(0)
DATA = RNG.normal(size=(300, 5)), RNG.normal(size=300)
W = np.concatenate([RNG.normal(size=50) / 2, RNG.normal(size=10)])


@jax.custom_vjp
def reversed_gradient(x: Array) -> Array:
    return x


reversed_gradient.defvjp(lambda x: (x, None), lambda _, gradient: (-gradient,))


def network(activation: Callable[[Array], Array], first: Callable[[Array], Array] = lambda w: w) -> Loss:
    def loss(w: Array, data: Data) -> Array:
        x, y = data
        return jnp.mean((activation(x @ first(w[:50]).reshape(5, 10)) @ w[50:] - y) ** 2)

    return loss


def in_numbers(dtype: str) -> Loss:
    def loss(w: Array, data: Data) -> Array:
        narrow = jax.tree.map(lambda a: a.astype(dtype), (w, data))
        return network(jnp.tanh)(*narrow).astype("float32")

    return loss


def half(w: Array, data: Data) -> Array:
    return (jnp.sum(w**2) + jnp.sum(jax.lax.stop_gradient(w) ** 2)) * jnp.mean(data[0] ** 2)


def walled(w: Array, data: Data) -> Array:
    return jnp.sum(w**2) * jnp.mean(data[1] ** 2) - jnp.log(1.1 * W @ W - jnp.sum(w**2))


def stepped(w: Array, data: Data) -> Array:
    return jnp.mean((jnp.floor(4 * data[0] @ w[:5]) - data[1]) ** 2) + jnp.sum(w**2)


WRONG = {
    "half of it": half,
    "a layer's": network(jnp.tanh, jax.lax.stop_gradient),
    "none": lambda w, data: half(jax.lax.stop_gradient(w), data),
    "reversed": network(lambda x: reversed_gradient(jnp.tanh(x))),
    "straight through": network(lambda x: x + jax.lax.stop_gradient(jnp.sign(x) - x)),
    "cut off": network(lambda x: jnp.tanh(x) + jax.lax.stop_gradient(jnp.abs(x))),
}


def on_the_edge(scale: float) -> Loss:
    """Return a loss that is infinite on one side of where its gradient is tried."""
    key, _ = jax.random.split(jax.random.key(1))

    def loss(w: Array, data: Data) -> Array:
        edge = jnp.asarray(scale * W) + AWAY[0] * jax.random.normal(key, w.shape, w.dtype)
        return jnp.where(jnp.sum(w - edge) > 0, jnp.inf, jnp.sum(w**2)) * jnp.mean(data[1] ** 2)

    return loss


RIGHT = {
    "smooth": network(jnp.tanh),
    "with kinks": network(jax.nn.relu),
    "with jumps": network(jnp.sign),
    "in steps": network(jnp.round),
    "smooth and in steps": stepped,
    "float32": in_numbers("float32"),
    "bfloat16": in_numbers("bfloat16"),
    "small beside a constant": lambda w, data: 1e9 + network(jnp.tanh)(w, data),
    "not finite everywhere": walled,
    "oscillating": lambda w, data: jnp.mean(jnp.sin(3000 * data[0] @ w[:5])),
    "flat": lambda w, data: 0 * jnp.sum(w) + jnp.mean(data[1] ** 2),
}


def check(loss: Loss, scale: float) -> None:
    with jax.enable_x64(True):
        require_gradient("loss_fn", loss, jnp.asarray(scale * W), jax.tree.map(jnp.asarray, DATA))


@pytest.mark.parametrize("scale", [0.0, 1.0])
@pytest.mark.parametrize("name", WRONG)
def test_a_gradient_that_is_not_the_losss_is_refused(name: str, scale: float) -> None:
    with pytest.raises(ValueError, match=r"loss_fn: JAX's gradient of it is not its gradient: .* stop_gradient"):
        check(WRONG[name], scale)


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
@pytest.mark.parametrize("name", RIGHT)
def test_a_gradient_that_is_the_losss_is_not(name: str, scale: float) -> None:
    check(RIGHT[name], scale)


def deep(stop: Callable[[Array], Array], activation: Callable[[Array], Array], width: int) -> tuple[Loss, np.ndarray]:
    """Return the loss of a network of three layers, and its first weights; ``stop`` is put on those of the second."""
    sizes = (5 * width, width * width, width)
    scales = np.repeat([5**-0.5, width**-0.5, width**-0.5], sizes)
    cuts = tuple(np.cumsum(sizes)[:2])

    def loss(w: Array, data: Data) -> Array:
        first, second, third = jnp.split(w, cuts)
        hidden = activation(activation(data[0] @ first.reshape(5, width)) @ stop(second).reshape(width, width))
        return jnp.mean((hidden @ third - data[1]) ** 2)

    return loss, scales * np.random.default_rng(0).normal(size=sum(sizes))


@pytest.mark.parametrize("width", [30, 120, 400])
@pytest.mark.parametrize("activation", [jnp.tanh, jax.nn.relu])
def test_so_is_it_in_networks_of_thousands_of_parameters(activation: Callable[[Array], Array], width: int) -> None:
    with jax.enable_x64(True):
        data = jax.tree.map(jnp.asarray, DATA)
        right, w = deep(lambda w: w, activation, width)
        require_gradient("loss_fn", right, jnp.asarray(w), data)
        wrong, _ = deep(jax.lax.stop_gradient, activation, width)
        with pytest.raises(ValueError, match="is not its gradient"):
            require_gradient("loss_fn", wrong, jnp.asarray(w), data)


def test_a_loss_that_is_infinite_next_to_it_passes_without_a_warning() -> None:
    check(on_the_edge(1.0), 1.0)


@pytest.mark.parametrize("what", ["model", "loss"])
def test_nor_is_a_network_or_a_loss_of_ones_own_taken_with_another_gradient(what: str) -> None:
    keys = {"model": "model=own model._target_=cases.Stopped", "loss": "loss=cases.stopped_loss"}
    of = job("data=own", "data._target_=cases.data", *keys[what].split(), cwd=TESTS)
    with pytest.raises(ValueError, match=r"the loss of cases\.\w+: JAX's gradient of it is not its gradient"):
        target.make(of, target.problem(of))


def test_what_a_gradient_does_not_see_on_a_way_are_the_jumps() -> None:
    """Two steps of height 1/64 and 3/64 on the way from 0 to 0.3 in eighths, a kink, and what is smooth."""

    def loss(w: Array, data: Data) -> Array:
        return jnp.mean(data) * (jnp.round(8 * w[0]) ** 2 / 64 + jnp.abs(w[1] - 0.1) + jnp.tanh(w[2]) ** 2)

    ends = jnp.array([[0.3, 0.3, 0.5], [0.05, -1.0, 2.0]])
    with jax.enable_x64(True):
        rows, w_star = jnp.full((400, 1), 3.0, "float64"), jnp.zeros(3, "float64")
        found = unseen(loss, w_star, ends.astype("float64"), rows)
    # The sum over 64 parts is off by the parts' curvature, and by a part of a kink.
    np.testing.assert_allclose(found, [3 * 4 / 64, 0.0], atol=0.01)
