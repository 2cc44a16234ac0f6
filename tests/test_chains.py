"""Chains on one device and on several, side by side and one after the other: what is drawn is the same."""

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_samplers import CHEAP, STRETCHED

from llc import samplers, seeds
from llc.samplers import chains

NAMES = sorted(CHEAP)


def drawn(name: str) -> str:
    """Return a digest of what four chains of a sampler draw, and of what they were tuned to."""
    settings = {**CHEAP[name], "chains": 4, "draws": 50}
    if name == "sgld":
        settings |= {"step_size": "auto", "batch_size": 1}  # of two rows: a minibatch
    trace = samplers.load(name)(seeds.key(0, name), STRETCHED.posterior(name), **settings)
    arrays = [trace.loss, *trace.stats.values(), *map(np.asarray, trace.tuned.values())]
    return sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()


@pytest.fixture(scope="module")
def on_two_devices() -> dict[str, str]:
    """Return the digests of a process that has three devices, of which four chains use two."""
    script = "from test_chains import *; print(json.dumps({name: drawn(name) for name in NAMES}))"
    env = {**os.environ, "JAX_NUM_CPU_DEVICES": "3", "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", script], env=env, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", NAMES)
def test_chains_draw_the_same_on_several_devices(name: str, on_two_devices: dict[str, str]) -> None:
    assert jax.device_count() == 1
    assert drawn(name) == on_two_devices[name]


def test_chains_share_the_median_of_the_steps_they_were_tuned_to() -> None:
    """One that is stuck does not stop all, and one without a step counts for nothing."""
    steps = jnp.asarray([1e-9, 0.5, 0.3, jnp.nan])
    ended = jnp.ones(4, bool)
    np.testing.assert_allclose(chains.shared(steps, ended), 0.3, rtol=1e-6)
    np.testing.assert_array_equal(chains.shared(steps, ~ended), steps)
