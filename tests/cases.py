"""Models, data and losses as users may write them, right and wrong."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def data(d_out: int = 2, kind: str = "float", flat: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 40) if kind == "int" else rng.normal(size=(40, d_out))
    return rng.normal(size=(40, 3)), y.ravel() if flat else y


def flat() -> tuple[np.ndarray, np.ndarray]:
    return data(d_out=1, flat=True)


def signs() -> tuple[np.ndarray, np.ndarray]:
    x, y = flat()
    return x, np.where(y > 0, 1, -1)


def with_test_rows(column: bool = False, label: int | None = None) -> tuple[np.ndarray, ...]:
    """Of the test rows labels that are a column, or a class."""
    x, y = data(d_out=1, flat=True)
    y = y if label is None else (y > 0).astype(int)
    return x, y, x[:5], np.full(5, label) if label is not None else y[:5, None] if column else y[:5]


def tokens() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 5, (30, 4)), rng.integers(0, 5, (30, 4))
    return x, y, x[:6], y[:6]


def ragged() -> tuple[np.ndarray, np.ndarray]:
    return np.ones((5, 2)), np.ones(4)


def alone() -> np.ndarray:
    return np.ones((5, 2))


class Linear:
    """``init`` takes no example of the inputs."""

    def __init__(self, d_out: int = 2, column: bool = True) -> None:
        self.d_out, self.column = d_out, column

    def init(self, key: jax.Array) -> dict[str, Any]:
        return {"kernel": jax.random.normal(key, (3, self.d_out)), "bias": [jnp.zeros(self.d_out), np.float64(0.0)]}

    def apply(self, params: dict[str, Any], x: jax.Array) -> jax.Array:
        outputs = x @ params["kernel"] + params["bias"][0] + params["bias"][1]
        return outputs if self.column else outputs[:, 0]


class Stopped(Linear):
    """Its bias is not trained."""

    def apply(self, params: dict[str, Any], x: jax.Array) -> jax.Array:
        return super().apply({**params, "bias": jax.lax.stop_gradient(params["bias"])}, x)


class WithNumPy(Linear):
    """A constant of float64, as NumPy's arrays are, in jobs of float32."""

    nothing = np.zeros(1)

    def apply(self, params: dict[str, Any], x: jax.Array) -> jax.Array:
        return super().apply(params, x) + self.nothing


class Shared:
    power = 2

    def init(self, key: jax.Array) -> jax.Array:
        return jnp.ones((3, 2))

    def apply(self, params: jax.Array, x: jax.Array) -> jax.Array:
        return (x @ params) ** self.power


SHARED = Shared()


def shared(power: int = 2) -> Shared:
    """Return the one object, as it is to be from now on."""
    SHARED.power = power
    return SHARED


def also_shared() -> Shared:
    return shared(4)


def embedding() -> tuple[Any, Any]:
    def init(key: jax.Array, x: jax.Array) -> jax.Array:
        return jax.random.normal(key, (5, 5))

    def apply(params: jax.Array, x: jax.Array) -> jax.Array:
        return params[x]

    return init, apply


def counter() -> tuple[Any, Any]:
    return (lambda key, x: {"kernel": jnp.zeros((3, 2)), "count": jnp.zeros(1, int)}), lambda params, x: x


def nothing() -> None:
    return None


def token_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    log_p = jax.nn.log_softmax(outputs)
    return -jnp.sum(jnp.take_along_axis(log_p, y[..., None], axis=-1)[..., 0], axis=1)


def mean_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.mean(jnp.abs(y - outputs))


def loss_of_what_was_seen(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.where(y > 9, jnp.inf, (y - outputs[:, 0]) ** 2)


def sum_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.sum((y - outputs) ** 2)


def square_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.sum((y - outputs) ** 2, axis=1)


def cube_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return jnp.sum(jnp.abs(y - outputs) ** 3, axis=1)


def stopped_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return square_loss(outputs, y) + square_loss(jax.lax.stop_gradient(outputs), y)


def entries_loss(outputs: jax.Array, y: jax.Array) -> jax.Array:
    return (y - outputs) ** 2
