"""Chains one after the other, and spread over devices."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from typing import Any

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest
from composing import TESTS
from problems import CHEAP, STRETCHED, by_rule

from llc import samplers, seeds
from llc.estimates.diagnostics import diagnose
from llc.samplers import Trace, chains

NAMES = sorted(CHEAP)
# How a sampler is drawn from, each digested: SGLD also with what its chains find together.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in NAMES}
WAYS["sgld, scaled"] = ("sgld", {"preconditioner": "rmsprop"})


def drawn(name: str, **settings: Any) -> Trace:
    posterior = STRETCHED.posterior(name)
    if name == "sgld":
        posterior = STRETCHED.regression()
        settings |= {"step_size": "auto", "batch_size": 1}  # of ten rows: a minibatch
    given = {**CHEAP[name], "draws": 200, **settings}
    return samplers.load(name)(seeds.key(0, name), posterior, **given)


def digest(trace: Trace) -> str:
    arrays = [trace.loss, *trace.stats.values(), *map(np.asarray, trace.tuned.values())]
    return sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.fixture
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take every posterior for a large one, which is read when a program is traced."""
    monkeypatch.setattr(chains, "LARGE", 0)
    jax.clear_caches()
    yield
    jax.clear_caches()


@pytest.fixture(scope="module")
def on_two_devices() -> dict[str, str]:
    """Return the digests of a process that has three devices, of which four chains use two, and how many they were."""
    script = """
from test_chains import *
from llc.samplers import rounds
chains.LARGE, spread, seen = 0, chains.spread, set()
def seeing(*args, **static):
    found = spread(*args, **static)
    seen.add(len(found[3]["mesh"].devices) if "mesh" in found[3] else 1)
    return found
rounds.spread = seeing
print(json.dumps({**{way: digest(drawn(name, **more)) for way, (name, more) in WAYS.items()}, "devices": sorted(seen)}))
"""
    env = {**os.environ, "JAX_NUM_CPU_DEVICES": "3", "PYTHONPATH": f"{TESTS}:{TESTS / 'samplers'}"}
    done = subprocess.run([sys.executable, "-c", script], env=env, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.usefixtures("all_are_large")
@pytest.mark.parametrize("way", WAYS)
def test_chains_of_a_large_posterior_are_right_and_the_same_on_several_devices(
    way: str, on_two_devices: dict[str, str]
) -> None:
    """Bit by bit: of this posterior no sum rounds differently there."""
    assert jax.device_count() == 1
    assert on_two_devices["devices"] == [2]
    name, more = WAYS[way]
    trace = drawn(name, **more)
    assert digest(trace) == on_two_devices[way]
    if name != "sgld":  # one of two rows is no minibatch of this loss
        found = diagnose(STRETCHED.a * trace.loss.astype(np.float64))
        assert found.mcse is not None
        assert abs(found.mean - STRETCHED.llc()) < 4 * found.mcse


def test_the_step_that_chains_share_is_their_median() -> None:
    """One that is stuck does not stop all, and one without a step counts for nothing."""
    np.testing.assert_allclose(chains.median_step(jnp.asarray([1e-9, 0.5, 0.3, jnp.nan])), 0.3, rtol=1e-6)
    largest = np.finfo(np.float32).max  # as of a flat posterior
    assert (chains.median_step(jnp.full(4, largest)) == largest).all()


@pytest.mark.usefixtures("all_are_large")
def test_two_chains_at_a_time_find_the_closed_form() -> None:
    found = by_rule("sgld", STRETCHED)
    llc = diagnose(STRETCHED.a * found.loss.astype(np.float64))
    assert llc.mcse is not None
    assert llc.mcse < 0.025 * STRETCHED.llc()
    assert abs(llc.mean - STRETCHED.llc()) < 4 * llc.mcse
    assert len(set(found.loss[:, -1].tolist())) == 4  # each its own


def test_shapes_are_checked_in_tests() -> None:
    with pytest.raises(jaxtyping.TypeCheckError):
        chains.median_step(jnp.ones((2, 2)))


@pytest.mark.parametrize(
    ("count", "rows", "block", "in_turn"),
    [(4, 10, 9, True), (4, 9, 9, False), (3, 10, 9, False), (3, None, 9, True), (3, 10, 10, True)],
    ids=[
        "two and two",
        "of a small batch all at once",
        "three are no pairs",
        "of all rows each by itself",
        "of huge blocks too",
    ],
)
def test_chains_of_large_gradients_go_two_at_a_time_or_each_by_itself(
    count: int, rows: int | None, block: int, in_turn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    posterior = STRETCHED.regression()  # 10 parameters, 10 rows
    monkeypatch.setattr(chains, "LARGE", 100)
    monkeypatch.setattr(chains, "HUGE", 100)
    monkeypatch.setattr(chains, "BLOCK", block)

    def of_chain(w: Any, factor: Any) -> dict[str, Any]:
        scaled = jax.lax.cond(factor > 0, lambda: factor * w, lambda: jnp.full_like(w, jnp.nan))
        return {"sum": jnp.sum(w), "scaled": scaled}

    w, factor = jax.random.normal(seeds.key(0, "w"), (count, 10)), jnp.arange(1.0, count + 1)
    of_all = chains.over_chains(posterior, of_chain, count, rows)
    program = str(jax.make_jaxpr(of_all)(w, factor))
    assert ("scan[" in program) == in_turn
    assert ("cond[" in program) == (rows is None or block == 10)  # of a batch, also of one, both branches are run
    found, expected = of_all(w, factor), {"sum": w.sum(1), "scaled": factor[:, None] * w}
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found, expected)


def test_only_a_large_posterior_is_compiled_for_the_widest_vectors(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chains.compiled_with(STRETCHED.posterior()) is None
    monkeypatch.setattr(chains, "LARGE", 0)
    assert chains.compiled_with(STRETCHED.posterior()) == chains.WIDEST
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert chains.compiled_with(STRETCHED.posterior()) is None
