"""Posteriors with exact answers, and samplers on them, that several test files share.

All quadratics have one shape, and settings that a program is compiled for are mostly the defaults: a test takes
milliseconds to sample, and a second to compile.
"""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from llc import samplers, seeds
from llc.config import DlnModel, GibbsConfig, HmcConfig, MclmcConfig, NutsConfig, SamplerConfig
from llc.exact import expected
from llc.loss.likelihood import Batch, batch, negative_log_likelihood, sufficient_rows
from llc.posterior import Posterior
from llc.samplers import Trace
from llc.samplers.rounds import Clock, collect
from llc.targets.models import build

A, GAMMA = 1000 / np.log(1000), 1.0  # of the monomials
DRAWS = {"draws": 100}
CHEAP: dict[str, dict[str, Any]] = {
    "sgld": {
        "step_size": 1e-3,
        "batch_size": 2,
        "control_variates": False,
        "preconditioner": "none",
        "momentum": 0.0,
        "warmup": 2000,
        "thin": 40,
        "chains": 4,
        "budget": 1e5,
        **DRAWS,
    },
    "hmc": vars(HmcConfig()) | DRAWS,
    "nuts": vars(NutsConfig()) | DRAWS,
    "mclmc": vars(MclmcConfig()) | DRAWS,
    "gibbs": vars(GibbsConfig(warmup=50)) | DRAWS,
}


def quadratic_loss(w: jax.Array, data: Batch) -> jax.Array:
    """½ Σ h_i (w_i − c_i)², with h in the first row of x and the minimum c in the second."""
    return 0.5 * jnp.sum(data.x[0] * (w - data.x[1]) ** 2)


regression_loss = partial(negative_log_likelihood, lambda w, x: x @ w[:, None])


def noisy_mean_loss(w: jax.Array, data: Batch) -> jax.Array:
    """½ mean_i (w − x_i)²: the gradient of a minibatch is off by the mean of its x."""
    return 0.5 * jnp.mean((w[0] - data.x[:, 0]) ** 2)


class Quadratic(NamedTuple):
    """A quadratic loss with curvatures h, sampled around a point that is δ off its minimum."""

    h: np.ndarray
    a: float  # nβ
    gamma: float
    delta: float = 0.0

    def posterior(self, sampler: str = "") -> Posterior:
        dim = len(self.h)
        if sampler == "gibbs":
            return self.regression()
        rows = Batch(jnp.asarray([self.h, np.full(dim, -self.delta)], jnp.float32), jnp.zeros((2, 1)), jnp.float32(1))
        return Posterior(quadratic_loss, rows, rows, jnp.zeros(dim), jnp.float32(self.a), jnp.float32(self.gamma))

    def regression(self) -> Posterior:
        """Return the same posterior as linear regression, a row an input, for a sampler of linear networks."""
        dim = len(self.h)
        x = np.diag(np.sqrt(dim * self.h))
        data = batch(x, x @ np.full((dim, 1), -self.delta), 1.0, "float32")
        hyper = (jnp.zeros(dim), jnp.float32(self.a), jnp.float32(self.gamma))
        return Posterior(regression_loss, data, data, *hyper, linear_widths=(dim, 1))

    def loss_star(self) -> float:
        return 0.5 * float(np.sum(self.h)) * self.delta**2

    def llc(self) -> float:
        return expected.quadratic(self.h, self.a, self.gamma, self.delta)

    def sgld_llc(self, step_size: float) -> float:
        return expected.sgld_on_quadratic(self.h, self.a, self.gamma, step_size)


ISOTROPIC = Quadratic(np.ones(10), a=1000 / np.log(1000), gamma=1.0)
TIGHT = ISOTROPIC._replace(gamma=100.0)
STRETCHED = Quadratic(np.geomspace(0.01, 10.0, 10), a=300.0, gamma=2.0)
OFF_MINIMUM = ISOTROPIC._replace(delta=0.1)


def by_rule(name: str, problem: Quadratic, **settings: Any) -> Trace:
    """Draw with the defaults, but for these settings."""
    own = vars(getattr(SamplerConfig(), name))
    return samplers.load(name)(seeds.key(1, name), problem.posterior(name), **{**own, **settings})


def posterior_of(
    widths: list[int], x: Any, y: Any, w_star: Any, *, a: float, gamma: float, sigma: float = 1.0, dtype: str
) -> Posterior:
    """Return the posterior of a linear network at temperature nβ = a; call it inside the precision of ``dtype``."""
    loss = partial(negative_log_likelihood, build(DlnModel(widths=widths, rank=0)).apply)
    data, full = (batch(*rows, sigma, dtype) for rows in ((x, y), sufficient_rows(x, y)))
    w_star, a, gamma = (jnp.asarray(value, dtype) for value in (w_star, a, gamma))
    return Posterior(loss, data, full, w_star, a, gamma, linear_widths=tuple(widths))


def aligned(widths: list[int], rank: int, n: int, dtype: str = "float32") -> Posterior:
    """Return the posterior around an aligned teacher with noise-free labels: L_n(w*) = 0."""
    rng = np.random.default_rng(0)
    model = build(DlnModel(widths=widths, rank=rank))
    x, w_star = rng.uniform(-10, 10, size=(n, widths[0])), model.teach(rng)
    with jax.enable_x64(True):
        y = np.asarray(model.apply(jnp.asarray(w_star), jnp.asarray(x)))
    return posterior_of(widths, x, y, w_star, a=n / np.log(n), gamma=1.0, dtype=dtype)


def monomial_loss(w: jax.Array, data: Batch) -> jax.Array:
    """w1^2a w2^2b, a and b as rows of x that pick a power: one program for all of them."""
    return jnp.prod(jnp.sum(data.x * w[:, None] ** jnp.array([2, 4, 6]), axis=1))


def monomial_posterior(exponents: tuple[int, int], a: float = A) -> Posterior:
    powers = np.eye(3)[np.subtract(exponents, 1)]
    rows = Batch(jnp.asarray(powers, jnp.float32), jnp.zeros((2, 1)), jnp.float32(1))
    return Posterior(monomial_loss, rows, rows, jnp.zeros(2), jnp.float32(a), jnp.float32(GAMMA))


def drifting(key: Any, posterior: Any, state: Any, until: float, filled: float, off: float, *, draws: int) -> Any:
    """Advance a chain whose excess loss grows for 400 draws and then stays, and its distance ``until`` so many.

    Its virial is ``off`` for ``filled`` draws.
    """
    time = state[:, None] + jnp.arange(draws)
    noise = jax.random.normal(key, time.shape) / 50
    level = jnp.minimum(time / 400, 1.0)
    loss = posterior.loss(posterior.w_star) + level + noise
    return state + draws, {
        "loss": loss,
        "distance2": jnp.minimum(time, until) * (1 + noise),
        "virial": posterior.w_star.size + 2 * off * (time < filled) + 10 * noise,
        "loss_elsewhere": loss + 1,
        "work": jnp.ones(time.shape),
    }


def run_drifting(
    until: float = 400.0, filled: float = 0.0, off: float = -100.0, gamma: float = 1.0, **settings: Any
) -> Trace:
    advance = jax.jit(drifting, static_argnames="draws")
    given = {"tuning": 0, "draws": None, "budget": 1e4, **settings}
    key, posterior = seeds.key(0, "drift"), ISOTROPIC._replace(gamma=gamma).posterior()
    return collect(
        key,
        posterior,
        jnp.zeros(4),
        advance,
        (until, filled, off),
        Clock(),
        weights=lambda state: state[:, None],
        **given,
    )[1]
