"""What one process traced serves the next, and nothing is taken for what it is not."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from composing import TESTS, job

from llc import code, samplers
from llc.compiled import program_cache
from llc.loss.likelihood import batch
from llc.posterior import Posterior, tempered
from llc.samplers import hmc, langevin, rounds, steps
from llc.targets import losses, models, target

SMALL = ["model=small", "data=small", "data.n_data=40", "sampler=fast"]


def posterior(*overrides: str) -> Posterior:
    """Return the one of a small job, around weights that are not trained."""
    of = job(*SMALL, *overrides, cwd=TESTS)
    problem = target.problem(of)
    data = batch(problem.data.x, problem.data.y, problem.data.sigma, of.precision)
    w = np.linspace(-1, 1, problem.model.n_params, dtype=of.precision)
    return tempered(problem.loss_fn, data, w, of.posterior, of.precision)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give an empty folder of programs."""
    before = jax.config.values["jax_compilation_cache_dir"]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    new_process()
    yield tmp_path / "traced"
    jax.config.update("jax_compilation_cache_dir", before)


def new_process() -> None:
    """Forget what this one has traced."""
    program_cache._read.clear()
    jax.clear_caches()


@contextmanager
def traced() -> Iterator[list[str]]:
    """Give the names of what is traced in the block."""
    seen: list[str] = []

    def count(event: str, _seconds: float, **of: Any) -> None:
        seen.extend([str(of.get("fun_name"))] if event.endswith("jaxpr_trace_duration") else [])

    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        yield seen
    finally:
        jax.monitoring.unregister_event_duration_listener(count)


def draws(name: str, of: Posterior, seed: int = 0, **changes: Any) -> dict[str, np.ndarray]:
    """Return L_n and the statistics of a few draws."""
    settings = {**asdict(getattr(job(*SMALL, cwd=TESTS).sampler, name)), "draws": 60, **changes}
    trace = samplers.load(name)(jax.random.key(seed), of, **settings)
    return {"loss": trace.loss, **trace.stats}


@pytest.mark.parametrize("name", ["sgld", "nuts", "mclmc"])  # that of hmc is nuts' own
def test_another_process_traces_no_round_and_draws_the_same(name: str, folder: Path) -> None:
    of = posterior()
    with traced() as seen:
        first = draws(name, of)
    assert "flat" in seen
    assert len(list(folder.iterdir())) == 1
    new_process()
    with traced() as seen:
        second = draws(name, of)
        other = draws(name, replace(of, gamma=of.gamma * 2), seed=1)
    assert seen
    assert not {"flat", "_advance"} & {*seen}
    assert len(list(folder.iterdir())) == 1
    assert not np.array_equal(first["loss"], other["loss"])
    new_process()
    jax.config.update("jax_compilation_cache_dir", None)  # by the function itself
    without = draws(name, of)
    for found in (second, without):
        assert found.keys() == first.keys()
        assert all(np.array_equal(found[stat], first[stat]) for stat in first)


STATIC = ("auto", "batch", "control", "preconditioner", "draws", "thin")


def rounds_of(of: Posterior, static: Mapping[str, Any] | None = None, advance: Any = langevin.advance) -> Any:
    """Return what a round of sgld is called with."""
    start = langevin.start(jax.random.key(0), of.w_star, jnp.asarray(0, of.w_star.dtype), 1.0, scaled=False, chains=3)
    args = (jax.random.key(0), of, start, np.float32(0.9), np.float32(0))
    common = {"auto": True, "batch": None, "control": False, "preconditioner": "none", "draws": 50, "thin": 2}
    return advance, args, {**common, **(static or {})}


def test_what_it_comes_from_is_in_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    of = posterior()
    key = program_cache._key(*rounds_of(of))
    # Numbers, which are arguments.
    for same in (of, replace(of, gamma=of.gamma * 3), posterior("posterior.gamma=7", "seed=4")):
        assert program_cache._key(*rounds_of(same)) == key
    others = [
        program_cache._key(*rounds_of(of, {"thin": 3})),
        program_cache._key(*rounds_of(of, {"batch": 8})),
        program_cache._key(*rounds_of(of, advance=hmc.advance)),
        program_cache._key(*rounds_of(posterior("data.n_data=41"))),
        program_cache._key(*rounds_of(posterior("model.activation=relu"))),
        program_cache._key(*rounds_of(replace(of, linear_widths=(3, 1)))),
        program_cache._key(*rounds_of(replace(of, others={"test": of.data}))),
        program_cache._key(*rounds_of(replace(of, others={"other": of.data}))),
        program_cache._key(*rounds_of(replace(of, w_star=of.w_star[:3], moving=jnp.arange(3), whole_star=of.w_star))),
    ]
    with jax.default_matmul_precision("float32"):
        others.append(program_cache._key(*rounds_of(of)))
    with jax.enable_x64(True):
        others.append(program_cache._key(*rounds_of(of)))
    for constant, value in (("SHRINK", 0.25), ("EXPLODED", (5.0, 20.0))):
        with monkeypatch.context() as patch:
            patch.setattr(langevin, constant, value)
            others.append(program_cache._key(*rounds_of(of)))
    with monkeypatch.context() as patch:
        patch.setattr(program_cache, "version", lambda package: f"{package} of tomorrow")
        others.append(program_cache._key(*rounds_of(of)))
    now = code.modules("run", ["langevin"])
    for file in (
        "llc/samplers/langevin.py",
        "llc/samplers/steps.py",
        "llc/posterior.py",
        "llc/targets/models.py",
        "llc/loss/rows.py",
    ):
        assert file in now
        monkeypatch.setattr(code, "modules", lambda *_, file=file: {**now, file: "edited"})
        others.append(program_cache._key(*rounds_of(of)))
    assert len({key, *others}) == 1 + len(others)


def test_a_process_that_may_run_older_code_stores_nothing_under_the_name_of_the_new(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = Path(steps.__file__).stat().st_ctime_ns
    monkeypatch.setattr(code, "IMPORTED_NS", edited - 1)
    draws("sgld", posterior())
    assert not folder.exists()


OWN = ["data=own", "data._target_=cases.data", "model=own", "model._target_=cases.Linear"]


@pytest.mark.parametrize("own", [[*OWN, "loss=cases.mean_loss"], OWN])
def test_of_what_a_user_wrote_nothing_is_stored(own: list[str], folder: Path) -> None:
    of = job(*own, cwd=TESTS)
    problem = target.problem(of)
    data = batch(problem.data.x, problem.data.y, problem.data.sigma, of.precision)
    w = problem.model.init(jax.random.key(0))
    theirs = tempered(problem.loss_fn, data, w, of.posterior, of.precision)
    for loss in (theirs.loss_fn, lambda w, data: w.sum(), cases.mean_loss):
        assert program_cache.exported(*rounds_of(replace(theirs, loss_fn=loss))) is None
    draws("sgld", theirs)
    assert not folder.exists()


def test_a_function_that_took_over_the_name_of_another_has_none() -> None:
    ours = models.build
    assert program_cache._name(ours) == f"{ours.__module__}.{ours.__qualname__}"

    @functools.wraps(ours)
    def mine(*args: Any) -> Any:
        return 2 * ours(*args)

    with pytest.raises(program_cache._NoNameError):
        program_cache._name(mine)


def test_a_function_within_another_has_no_name() -> None:
    loss = posterior().loss_fn
    assert program_cache._name(loss)

    def inner() -> None: ...

    inner.__module__ = "llc.targets.models"
    for unknown in (
        inner,
        losses.HashablePartial(loss, inner),
        losses.HashablePartial(models.build, object()),
        np.float32(1),
        loss.func.__call__,
    ):
        with pytest.raises(program_cache._NoNameError):
            program_cache._name(unknown)


@pytest.mark.parametrize("damage", [b"", b"short", None])
def test_a_damaged_program_is_traced_again(damage: bytes | None, folder: Path) -> None:
    of = posterior()
    first = draws("sgld", of)
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-9] + b"overwrite" if damage is None else damage)
    new_process()
    with traced() as seen:
        second = draws("sgld", of)
    assert "flat" in seen
    assert program_cache._load(file) is not None
    assert all(np.array_equal(second[stat], first[stat]) for stat in first)


def test_what_calls_back_to_python_is_not_stored(folder: Path) -> None:
    def advance(key: Any, of: Any, state: Any, *_: Any, **__: Any) -> Any:
        jax.debug.callback(lambda: None)
        return state, {}

    advance.__module__, advance.__qualname__ = "llc.samplers.sgld", "_other"
    assert program_cache.exported(*rounds_of(posterior(), advance=jax.jit(advance, static_argnames=STATIC))) is None
    assert not folder.exists()


def test_where_nothing_can_be_stored_it_runs_all_the_same(folder: Path) -> None:
    folder.write_text("not a folder")
    assert np.isfinite(draws("sgld", posterior())["loss"]).all()
    assert folder.read_text() == "not a folder"


def test_a_process_does_not_keep_all_that_it_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_cache, "PROGRAMS_MAX", 3)
    for thin in range(1, 6):
        rounds.exported(*rounds_of(posterior(), {"thin": thin}))
        assert 0 < len(program_cache._read) <= 3
