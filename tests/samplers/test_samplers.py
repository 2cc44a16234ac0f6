"""Every sampler against targets with exact answers, at finite nβ and γ."""

from dataclasses import fields, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from arviz_stats.base import array_stats
from blackjax.mcmc import adjusted_mclmc
from problems import CHEAP, ISOTROPIC, OFF_MINIMUM, STRETCHED, TIGHT, Quadratic, noisy_mean_loss

from llc import samplers, seeds
from llc.config import SamplerConfig
from llc.estimates.diagnostics import virial
from llc.loss.likelihood import Batch
from llc.posterior import Posterior
from llc.samplers import Trace, hmc, langevin, mclmc, sgld, trajectories

ACCURATE = {"hmc": {"draws": 4000}, "nuts": {"draws": 2000}, "mclmc": {"draws": 3000}}


def draw(problem: Quadratic, name: str, settings: dict[str, Any]) -> Trace:
    return samplers.load(name)(seeds.key(0, name), problem.posterior(name), **settings)


def llc_and_mcse(problem: Quadratic, name: str, settings: dict[str, Any]) -> tuple[float, float]:
    llc = problem.a * (draw(problem, name, settings).loss.astype(np.float64) - problem.loss_star())
    return float(llc.mean()), float(array_stats.mcse(llc, method="mean"))


@pytest.mark.parametrize("step_size", [1e-3, 1e-2])
def test_the_virial_of_plain_sgld_is_what_its_step_size_makes_of_it(step_size: float) -> None:
    """Each (w − w*)·∇U is q times a variance of 1/(q (1 − εq/4))."""
    q = TIGHT.a * TIGHT.h + TIGHT.gamma
    trace = draw(TIGHT, "sgld", {**CHEAP["sgld"], "step_size": step_size, "draws": 1000})
    found = virial(trace.stats["virial"], None, len(q))
    assert found is not None
    assert found.mcse < 0.01 * len(q)
    assert abs(found.mean - (np.sum(1 / (1 - step_size * q / 4)) - len(q)) / 2) < 4 * found.mcse
    assert found.mean > 8 * found.mcse  # it tells


@pytest.mark.parametrize("target_accept", [0.6, 0.9])
@pytest.mark.parametrize("name", ["hmc", "nuts", "mclmc"])
def test_the_step_size_of_an_adjusted_sampler_does_not_matter(name: str, target_accept: float) -> None:
    mean, mcse = llc_and_mcse(STRETCHED, name, {**CHEAP[name], **ACCURATE[name], "target_accept": target_accept})
    assert mcse < 0.02 * STRETCHED.llc()
    assert abs(mean - STRETCHED.llc()) < 4 * mcse


@pytest.mark.parametrize(("step_size", "draws"), [(2e-4, 5000), (1e-3, 1000), (1e-2, 1000)])
@pytest.mark.parametrize("problem", [ISOTROPIC, TIGHT])
def test_sgld_returns_what_its_step_size_makes_it_return(problem: Quadratic, step_size: float, draws: int) -> None:
    settings = {**CHEAP["sgld"], "step_size": step_size, "warmup": 4000, "draws": draws}
    mean, mcse = llc_and_mcse(problem, "sgld", settings)
    exact = problem.sgld_llc(step_size)
    assert mcse < 0.02 * exact
    assert abs(mean - exact) < 4 * mcse


def test_minibatch_noise_heats_sgld_as_predicted() -> None:
    """Gradient noise of variance C multiplies the variance of w by 1 + ε a² C/4."""
    n, a, gamma, step_size, batch_size = 64, 10.0, 5.0, 0.02, 4
    x = np.random.default_rng(0).normal(size=(n, 1))
    x -= x.mean()
    rows = Batch(jnp.asarray(x, jnp.float32), jnp.zeros((n, 1)), jnp.float32(1))
    posterior = Posterior(noisy_mean_loss, rows, rows, jnp.zeros(1), jnp.float32(a), jnp.float32(gamma))
    settings = {**CHEAP["sgld"], "step_size": step_size, "warmup": 1000, "draws": 5000, "thin": 50}
    trace = sgld.sgld(seeds.key(0, "sgld"), posterior, **{**settings, "batch_size": batch_size})
    llc = a * (trace.loss.astype(np.float64) - 0.5 * np.mean(x**2))
    q, noise = a + gamma, float(np.mean(x**2)) / batch_size
    exact = a / (2 * q * (1 - step_size * q / 4)) * (1 + step_size * a**2 * noise / 4)
    mcse = float(array_stats.mcse(llc, method="mean"))
    assert mcse < 0.02 * exact
    assert abs(llc.mean() - exact) < 4 * mcse
    hot = virial(trace.stats["virial"], None, 1)
    assert hot is not None
    assert abs(hot.mean - (exact * q / a - 0.5)) < 4 * hot.mcse


@pytest.mark.parametrize("name", [f.name for f in fields(SamplerConfig) if f.name != "names"])
class TestContract:
    """What holds of every sampler."""

    def test_every_sampler_has_settings_and_takes_them(self, name: str) -> None:
        assert set(vars(getattr(SamplerConfig(), name))) == set(CHEAP[name])

    def test_traces_have_the_shape_asked_for(self, name: str) -> None:
        posterior = STRETCHED.posterior(name)
        posterior = replace(posterior, others={"same": posterior.full})
        trace = samplers.load(name)(seeds.key(0, name), posterior, **CHEAP[name])
        assert trace.loss.shape == (4, 100)
        np.testing.assert_allclose(trace.stats["loss_same"], trace.loss, rtol=1e-3)
        assert all(values.shape == (4, 100) for values in trace.stats.values())
        assert all(values.shape == (4,) for values in trace.tuned.values())
        assert np.isfinite(trace.loss).all()
        assert trace.n_grad_evals > 0

    def test_same_key_same_draws_other_key_other_draws(self, name: str) -> None:
        first, again, other = (
            samplers.load(name)(seeds.key(seed, name), STRETCHED.posterior(name), **CHEAP[name]).loss
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(first, again)
        assert not np.intersect1d(first, other).size
        assert not np.intersect1d(first[0], first[1]).size  # nor do chains share any

    def test_only_the_product_of_loss_and_temperature_matters(self, name: str) -> None:
        # Eight is a power of two, so that not one rounding differs.
        scaled = STRETCHED._replace(h=8 * STRETCHED.h, a=STRETCHED.a / 8)
        one, other = (
            samplers.load(name)(seeds.key(0, name), problem.posterior(name), **CHEAP[name]).loss * problem.a
            for problem in (STRETCHED, scaled)
        )
        np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_a_sweep_over_hyperparameters_compiles_once(self, name: str) -> None:
        compiled: list[str] = []

        def count(event: str, _seconds: float, **_: Any) -> None:
            compiled.extend([event] if "backend_compile" in event else [])

        changed = {k: 1.1 * v if isinstance(v, float) and v < 0.5 else v for k, v in CHEAP[name].items()}
        changed |= {k: 0.9 for k in changed if k == "target_accept"}
        samplers.load(name)(seeds.key(0, name), STRETCHED.posterior(name), **CHEAP[name])
        other = STRETCHED._replace(h=2 * STRETCHED.h, a=55.0, gamma=7.0).posterior(name)
        jax.monitoring.register_event_duration_secs_listener(count)
        try:
            samplers.load(name)(seeds.key(5, name), other, **changed)
            assert not compiled
            jax.jit(lambda: jnp.zeros(3))()  # it does count
            assert compiled
        finally:
            jax.monitoring.unregister_event_duration_listener(count)


def test_work_is_counted_in_gradients_of_the_full_loss() -> None:
    posterior = STRETCHED.posterior()
    n = len(posterior.data.x)
    steps = 4 * (2000 + 100 * 40)
    trace = sgld.sgld(seeds.key(0, "sgld"), posterior, **{**CHEAP["sgld"], "batch_size": n})
    losses = 4 * (50 + 100) / 3  # a third of a gradient at each draw, of warm-up too
    assert trace.n_grad_evals == pytest.approx(steps + losses)
    trace = sgld.sgld(seeds.key(0, "sgld"), posterior, **{**CHEAP["sgld"], "batch_size": 1, "control_variates": True})
    assert trace.n_grad_evals == pytest.approx(steps * 2 / n + losses)
    hamiltonian = hmc.hmc(seeds.key(0, "hmc"), posterior, **CHEAP["hmc"])
    assert hamiltonian.n_grad_evals >= 4 * 600  # at least one a draw, warm-up included
    key = seeds.key(0, "mclmc")
    found, more = (mclmc.mclmc(key, posterior, **{**CHEAP["mclmc"], "draws": draws}) for draws in (100, 150))
    assert more.n_grad_evals - found.n_grad_evals == 2 * more.stats["n_steps"][:, 100:].sum()
    assert 0 < found.n_grad_evals - 2 * found.stats["n_steps"].sum() <= 2 * 4 * 500 * trajectories.TUNING_STEPS


def test_a_transition_of_mclmc_is_that_of_blackjax() -> None:
    kernel = adjusted_mclmc.build_kernel(divergence_threshold=mclmc.DIVERGENT)

    def log_density(w: jax.Array) -> jax.Array:
        return -jnp.sum(jnp.linspace(1.0, 100.0, 12) * w**2)

    def ours(key: Any, steps: Any, step: Any) -> Any:
        return mclmc._transition(key, adjusted_mclmc.init(w, log_density), log_density, step, steps, inverse_mass)

    def theirs(key: Any, steps: Any, step: Any) -> Any:
        return kernel(key, adjusted_mclmc.init(w, log_density), log_density, step, (steps,), inverse_mass)

    with jax.enable_x64(True):  # a trajectory that explodes makes much of the last digit
        moves = [jax.jit(jax.vmap(move, (0, 0, None))) for move in (ours, theirs)]
        w, inverse_mass, steps, seen = jnp.full(12, 0.1), jnp.linspace(0.5, 2.0, 12), jnp.array([1, 4, 9]), []
        for step, key in zip(jnp.array([0.05, 0.5, 1.0]), jax.random.split(jax.random.key(0), 3), strict=True):
            keys = jax.random.split(key, 3)
            found, expected = (move(keys, steps, step) for move in moves)
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9), found, expected)
            seen += [(bool(a), bool(d)) for a, d in zip(found[1].is_accepted, found[1].is_divergent, strict=True)]

    assert set(seen) == {(True, False), (False, False), (False, True)}


def test_chains_begin_with_what_the_posterior_says_at_w_star() -> None:
    posterior, key = OFF_MINIMUM.posterior(), jax.random.key(0)
    at = trajectories.begin(key, posterior, chains=2)
    potential, slope = jax.value_and_grad(posterior.potential)(posterior.w_star)
    assert potential > 0
    np.testing.assert_allclose(at.potential_energy, [potential, potential], rtol=1e-5)
    np.testing.assert_allclose(at.z_grad, [slope, slope], rtol=1e-4, atol=1e-4)
    begun = langevin.start(key, posterior.w_star, jnp.float32(0.25), 1e-3, scaled=False, chains=2)
    np.testing.assert_array_equal(begun.loss, [0.25, 0.25])
    assert not np.isclose(begun.noise[0], begun.noise[1]).any()  # each chain has its own


@pytest.mark.parametrize("name", ["sgld", "nuts", "hmc", "mclmc"])
def test_memory_does_not_grow_with_draws_times_parameters(name: str) -> None:
    dim, chains = 1_000_000, 2
    posterior, key = Quadratic(np.ones(dim), a=10.0, gamma=1.0).posterior(), seeds.key(0, "k")
    advance = {"sgld": langevin.advance, "mclmc": mclmc.advance}.get(name, hmc.advance)
    hyper, static, more = {
        "sgld": (
            (jnp.float32(0.0), jnp.float32(0.0)),
            {},
            {"auto": True, "batch": 1, "control": True, "preconditioner": "rmsprop", "thin": 1},
        ),
        "nuts": ((0.8, None), {"max_tree_depth": 5, "warmup": 1}, {"smallest": 1.0}),
        "hmc": ((0.8, 1.6), {"max_tree_depth": None, "warmup": 1}, {"smallest": 1.0}),
        "mclmc": ((0.8, 1.6), {"warmup": 20}, {"smallest": 1.0}),
    }[name]
    if name == "sgld":
        state = langevin.start(key, posterior.w_star, hyper[1], 1e-3, scaled=True, chains=chains)
    else:
        state = trajectories.begin(key, posterior, chains=chains)

    lowered = advance.lower(key, posterior, state, *hyper, draws=1100, **static, **more)
    sizes = lowered.compile().memory_analysis()
    assert sizes.temp_size_in_bytes + sizes.output_size_in_bytes < 0.1 * 1100 * chains * dim * 4
