"""Arrays of NumPy in a user's code are in the precision of each program."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import llc
from llc.compiled import constants

MEAN, ORDER = np.array([0.1, 0.2]), np.array([1, 0])


def test_arrays_of_numpy_serve_programs_of_both_precisions() -> None:
    constants.by_precision()

    def centred() -> Callable[[jax.Array], jax.Array]:
        return jax.jit(lambda x: x[ORDER] - MEAN)

    programs = [centred(), centred()]  # what JAX remembers of an array lasts as long as a program that has it
    for double, program in [(True, programs[0]), (False, programs[1]), (True, programs[1]), (False, programs[0])]:
        with jax.enable_x64(double):
            found = program(np.zeros(2, "float64" if double else "float32"))
        assert found.dtype == ("float64" if double else "float32")
        np.testing.assert_array_equal(found, np.asarray(-MEAN, found.dtype))


def test_a_loss_may_have_arrays_of_numpy_in_it() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    data = {"x": x, "y": x @ [1.0, 2.0] + 0.1 * rng.normal(size=200)}

    def loss(w: jax.Array, rows: dict[str, jax.Array]) -> jax.Array:
        return jnp.mean(((rows["x"][:, ORDER] - MEAN) @ w - rows["y"]) ** 2) / 2

    w_star = np.linalg.lstsq(x[:, ORDER] - MEAN, data["y"], rcond=None)[0]
    of_jitted = llc.estimate(jax.jit(loss), w_star, data, sampler="sgld", draws=100).estimate
    found = llc.estimate(loss, w_star, data, sampler="sgld", draws=100).estimate
    assert found.llc_mean == of_jitted.llc_mean
    assert abs(found.llc_mean - 1.0) < 4 * found.llc_mcse
