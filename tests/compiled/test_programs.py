"""What is compiled for one job of a process serves the next, and no function is taken for another."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from composing import TESTS, job

from llc import job as jobs
from llc.compiled import programs
from llc.compiled.programs import HashablePartial, compiled, forget, hashable
from llc.config import CrossingModel, DlnModel, MlpModel, QuadraticModel
from llc.loss.likelihood import batch
from llc.targets import losses, models, target

TINY = ["training=fast", "training.steps=50", "sampler=fast"]
TINY += [
    f"sampler.{name}.{key}=40" for name in ("sgld", "hmc", "nuts", "mclmc", "gibbs") for key in ("warmup", "draws")
]
NUMBERS = [
    "seed=5", "posterior.gamma=3", "posterior.beta0=2", "training.learning_rate=3e-3", "sampler.nuts.target_accept=0.9",
    "sampler.hmc.trajectory_length=1.1", "sampler.sgld.momentum=0.5",
]  # fmt: skip
OWN = "data=own data._target_=cases.data model=own model._target_=cases.WithNumPy loss=cases.mean_loss"
EVENTS = ("jaxpr_to_mlir_module_duration", "backend_compile_duration")


@contextmanager
def counted() -> Iterator[list[str]]:
    """Give the list of what is lowered and compiled, or loaded, in the block."""
    seen: list[str] = []

    def count(event: str, _seconds: float, **of: Any) -> None:
        seen.extend([f"{of.get('fun_name')}: {event}"] if event.endswith(EVENTS) else [])

    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(count)


@pytest.mark.parametrize(
    ("of", "samplers"),
    [
        ("model=small data=small data.noise_scale=0.3", "sgld,hmc,nuts,mclmc"),
        ("model=dln data=linear", "gibbs"),
        ("model=quadratic", "sgld"),
        ("model=crossing", "sgld"),
        ("data=digits data.n_data=200 model.widths=[4]", "sgld"),
        (OWN, "sgld"),
    ],
)
def test_a_job_that_differs_in_numbers_traces_and_compiles_nothing(
    of: str, samplers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced = []
    for place, name in ((models, "_apply_mlp"), (cases.Linear, "apply")):
        original = getattr(place, name)

        def apply(*args: Any, original: Any = original) -> Any:
            traced.extend(leaf for leaf in jax.tree.leaves(args) if isinstance(leaf, jax.core.Tracer))
            return original(*args)

        monkeypatch.setattr(place, name, apply)
    overrides = [*of.split(), *TINY, f"sampler.names=[{samplers}]"]
    monkeypatch.setattr(programs, "PROGRAMS_MAX", np.inf)  # other tests have compiled, too
    jobs.run(job(*overrides, cwd=TESTS), tmp_path / "first")
    traced.clear()
    with counted() as seen:
        jobs.run(job(*overrides, *NUMBERS, cwd=TESTS), tmp_path / "second")
    assert not seen
    assert not traced
    found = [pd.read_csv(tmp_path / folder / "metrics_summary.csv") for folder in ("first", "second")]
    assert (found[0]["llc_mean"] != found[1]["llc_mean"]).all()
    assert (found[1]["time_compile_s"] < 0.2).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MlpModel(widths=[4], d_in=3), MlpModel(widths=[4], d_in=3, activation="relu")),
        (DlnModel(widths=[3, 4, 3], rank=2), DlnModel(widths=[4, 3, 4], rank=2)),  # as many parameters
        (CrossingModel(exponents=[1, 2]), CrossingModel(exponents=[2, 1])),
        (QuadraticModel(d_in=2), CrossingModel(exponents=[1, 1])),
    ],
)
def test_networks_are_equal_where_they_are_the_same_function(one: Any, other: Any) -> None:
    same, again, different = (models.build(config).apply for config in (one, one, other))
    assert same == again
    assert hash(same) == hash(again)
    assert same != different


def test_a_fixed_function_equals_no_other() -> None:
    def f(*args: Any) -> Any:
        return args

    def g(*args: Any) -> Any:
        return args

    assert HashablePartial(f, 1)(2) == (1, 2)
    assert HashablePartial(f, 1) == HashablePartial(f, 1)
    assert HashablePartial(HashablePartial(f, 1), 2) == HashablePartial(f, 1, 2)
    assert HashablePartial(f, 1) not in (
        HashablePartial(f, 2),
        HashablePartial(g, 1),
        HashablePartial(f),
        HashablePartial(f, 1, key=1),
        f,
    )


@pytest.mark.parametrize("change", ["model.args={power:3}", "loss=cases.cube_loss", "model._target_=cases.also_shared"])
def test_what_users_write_is_never_taken_for_another(change: str) -> None:
    """Of one shape, from one module, and from an object that all jobs share."""
    own = ["data=own", "data._target_=cases.data", "model=own", "model._target_=cases.shared", "loss=cases.square_loss"]
    found = []
    for overrides in (own, [*own, change], own):
        of = target.problem(job(*overrides, cwd=TESTS))
        w = np.linspace(0.1, 1.0, of.model.n_params, dtype=np.float32)
        exact = float(of.loss_fn(jnp.asarray(w), batch(of.data.x, of.data.y, of.data.sigma, "float32")))
        assert target.full_loss(w, of)[0] == pytest.approx(exact, rel=1e-5)
        found.append(of.loss_fn)
    assert found[0] == found[2] != found[1]


def test_a_users_object_that_cannot_be_hashed_equals_itself_alone() -> None:
    class Loss(list[float]):
        def __call__(self, x: Any) -> Any:
            return x + sum(self)

    one, other = (hashable(Loss([number])) for number in (1.0, 2.0))
    assert one != other
    assert [float(compiled(function, jnp.asarray(1.0))) for function in (one, other)] == [2.0, 3.0]
    assert hashable(losses.build) is losses.build


def test_a_process_does_not_keep_the_programs_of_all_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "PROGRAMS_MAX", 30)
    client, most = jax.local_devices()[0].client, 0
    for n in range(1, 100):
        forget()
        compiled(jnp.sin, np.ones(n))
        most = max(most, len(client.live_executables()))
    assert 20 < most < 40


def test_of_two_processes_one_compiles_and_the_other_loads_it(tmp_path: Path) -> None:
    script = """
import sys, jax, numpy as np
from llc.compiled.programs import compile_once
seen = []
jax.monitoring.register_event_listener(lambda event, **_: seen.append(event))

@jax.jit
def program(x):
    for _ in range(60):  # seconds to compile
        x = jax.numpy.linalg.qr(x @ x)[0] + x.T
    return x

x = np.ones((7, 7), np.float32)
print("begin", flush=True); sys.stdin.readline()
compile_once(program, x)(x)
print(*sorted({event.rsplit("/", 1)[1] for event in seen if event.startswith("/jax/compilation_cache/cache_")}))
"""
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-c", script]
    both = [subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=env) for _ in range(2)]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "begin\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    assert sorted(one.communicate()[0] for one in both) == ["cache_hits\n", "cache_misses\n"]


def test_what_a_process_has_it_waits_for_no_more_and_a_cache_elsewhere_has_no_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: list[Path] = []

    @contextmanager
    def by_one(lock: Path, _at_most: float) -> Iterator[None]:
        locked.append(lock)
        yield

    def twice(x: jax.Array) -> jax.Array:
        return 2 * x

    monkeypatch.setattr(programs.locks, "by_one", by_one)
    config = jax.config.values  # noqa: PD011
    cache = config["jax_compilation_cache_dir"]
    ones = jnp.ones(3)
    for _ in range(2):
        assert programs.compile_once(jax.jit(twice), ones)(ones)[0] == 2
    assert len(locked) == 2  # two functions
    function = jax.jit(twice)
    for _ in range(2):
        programs.compile_once(function, ones)
    assert len(locked) == 3
    assert len(set(locked)) == 1  # but one program
    assert locked[0].parent == Path(cache, "compiling")
    try:
        for elsewhere in ("gs://bucket", None):
            jax.config.update("jax_compilation_cache_dir", elsewhere)
            assert programs.compile_once(jax.jit(twice), ones)(ones)[0] == 2
    finally:
        jax.config.update("jax_compilation_cache_dir", cache)
    assert len(locked) == 3
