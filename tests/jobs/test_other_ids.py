"""What can change the numbers changes the run id, and the target's if w* depends on it."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from composing import job
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from identifying import OWN_DATA, OWN_MODEL, SAMPLERS, default, id_of, save

from llc.config import (
    NutsConfig,
    PosteriorConfig,
    SamplerConfig,
)
from llc.jobs import ids
from llc.jobs.compose import known_keys
from llc.jobs.ids import run_id, target_id

# -------------------------------------------------------------------------------- another job

# A change of each key that the numbers depend on, after what must hold for it to be read.
CHANGES = [
    ("", "data.n_data=101"),
    ("", "data.x_dist=uniform"),
    ("", "data.x_scale=2"),
    ("", "data.noise=student_t"),
    ("", "data.noise=none"),
    ("data.sigma=0.1", "data.noise_scale=0.2"),
    ("", "data.sigma=0.2"),
    ("", "loss=mse"),
    ("", "loss=examples.robust.student_t"),
    (OWN_DATA, "data._target_=examples.robust.student_t"),
    (OWN_DATA, "data.args={n: 50}"),
    (OWN_DATA, "data.n_data=50"),
    (OWN_DATA, "data.sigma=2"),
    (OWN_DATA, "loss=mse"),
    (OWN_MODEL, "model._target_=examples.flax_mlp.Mlp"),
    (OWN_MODEL, "model.args={hidden: 3}"),
    ("data=digits", "data.n_data=100"),
    ("", "model=base"),
    ("", "model.depth=2"),
    ("", "model.activation=relu"),
    ("", "model.widths=[4]"),
    ("model.widths=[4,5]", "model.widths=[5,4]"),
    ("", "model.target_params=70"),
    ("", "model.d_in=4"),
    ("", "model.d_out=2"),
    ("", "model=dln"),
    ("model=dln", "model.widths=[20,10,20]"),
    ("model=dln", "model.rank=4"),
    ("model=dln", "model.teacher=reduced"),
    ("model=dln_1k", "model.layers=[5,6]"),
    ("model=dln_1k", "model.width=[60,70]"),
    ("model=dln_1k", "seed=1"),
    ("", "model=quadratic"),
    ("model=quadratic", "model.d_in=4"),
    ("model=quadratic", "model.teacher=zero"),
    ("", "model=crossing"),
    ("model=crossing", "model.exponents=[1,2]"),
    ("model=crossing model.exponents=[1,2]", "model.exponents=[2,1]"),
    ("", "training.w_star=teacher"),
    ("", "training.optimizer=adamw"),
    ("", "training.optimizer=sgd"),
    ("", "training.learning_rate=0.02"),
    ("training.optimizer=sgd", "training.momentum=0.8"),
    ("training.optimizer=adamw", "training.weight_decay=0.2"),
    ("", "training.steps=77"),
    ("", "training.batch_size=64"),
    ("", "training.grad_tol=0.2"),
    ("", "training.polish_steps=0"),
    ("", "posterior.beta0=2"),
    ("", "posterior.beta=0.2"),
    ("", "posterior.gamma=2"),
    ("training.checkpoints=[0,3]", "checkpoint=3"),
    ("", "posterior.restrict=layers/0/*"),
    ("", "evaluate={other: examples.robust.line}"),
    ("", "sampler.names=[sgld]"),
    ("", "sampler.names=[sgld,nuts,hmc]"),
    ("", "sampler.sgld.step_size=0.2"),
    ("", "sampler.sgld.batch_size=32"),
    ("data.n_data=999", "sampler.sgld.batch_size=64"),
    ("data.n_data=2001", "sampler.sgld.batch_size=64"),
    ("data.n_data=2001", "sampler.sgld.batch_size=2001"),
    ("data.n_data=999 sampler.sgld.draws=100", "sampler.sgld.batch_size=999"),
    ("sampler.sgld.batch_size=32", "sampler.sgld.control_variates=true"),
    ("", "sampler.sgld.preconditioner=rmsprop"),
    ("", "sampler.sgld.momentum=0.9"),
    ("", "sampler.sgld.budget=77"),
    ("", "sampler.sgld.warmup=77"),
    ("", "sampler.sgld.draws=77"),
    ("", "sampler.sgld.thin=7"),
    ("", "sampler.sgld.chains=7"),
    ("sampler.names=[hmc]", "sampler.hmc.target_accept=0.7"),
    ("sampler.names=[hmc]", "sampler.hmc.trajectory_length=0.7"),
    ("sampler.names=[hmc]", "sampler.hmc.warmup=77"),
    ("sampler.names=[hmc]", "sampler.hmc.draws=77"),
    ("sampler.names=[hmc]", "sampler.hmc.chains=7"),
    ("sampler.names=[hmc]", "sampler.hmc.budget=77"),
    ("", "sampler.nuts.target_accept=0.7"),
    ("", "sampler.nuts.max_tree_depth=7"),
    ("", "sampler.nuts.warmup=77"),
    ("", "sampler.nuts.draws=77"),
    ("", "sampler.nuts.chains=7"),
    ("", "sampler.nuts.budget=77"),
    ("sampler.names=[mclmc]", "sampler.mclmc.target_accept=0.7"),
    ("sampler.names=[mclmc]", "sampler.mclmc.warmup=77"),
    ("sampler.names=[mclmc]", "sampler.mclmc.draws=77"),
    ("sampler.names=[mclmc]", "sampler.mclmc.trajectory_length=0.7"),
    ("sampler.names=[mclmc]", "sampler.mclmc.chains=7"),
    ("sampler.names=[mclmc]", "sampler.mclmc.budget=77"),
    ("model=dln sampler.names=[gibbs]", "sampler.gibbs.warmup=77"),
    ("model=dln sampler.names=[gibbs]", "sampler.gibbs.draws=77"),
    ("model=dln sampler.names=[gibbs]", "sampler.gibbs.chains=7"),
    ("model=dln sampler.names=[gibbs]", "sampler.gibbs.budget=77"),
    ("", "seed=1"),
    ("", "precision=float64"),
]
# Of a file the content counts, tested below; of a section its keys; and how a job runs counts for nothing.
NOT_CHANGED = {
    "data.path",
    "data.classes",
    "data.sha256",
    "data.kind",
    "model.kind",
    "own.folder",
    "own.sha256",
    "training.checkpoints",
    "training.path",
    "training.sha256",
    "threads",
    "batch",
    "stage",
    "target",
    "expect_id",
}


@pytest.mark.parametrize(("context", "change"), CHANGES)
def test_what_changes_the_numbers_changes_the_id(context: str, change: str) -> None:
    assert id_of(*context.split(), change) != id_of(*context.split())


def test_every_key_of_the_schema_is_known_to_matter_or_not() -> None:
    keys = known_keys() - {"sweep"}
    sections = {key.rpartition(".")[0] for key in keys}
    changed = {change.split("=")[0] for _, change in CHANGES}
    assert changed - sections == keys - sections - NOT_CHANGED


def test_another_content_of_a_file_is_another_job(tmp_path: Path) -> None:
    x, y = np.ones((5, 2)), np.ones(5)
    first, second = save(tmp_path / "a.npz", x, y), save(tmp_path / "b.npz", x, 2 * y)
    assert id_of("data=npz", first) != id_of("data=npz", second)


def test_another_content_of_weights_is_another_job_and_how_they_would_be_trained_is_not(tmp_path: Path) -> None:
    for name, value in {"a": 0.0, "b": 1.0, "same": 0.0}.items():
        np.savez(tmp_path / f"{name}.npz", w_star=np.full(51, value))
    a, b, same = (["training=file", f"training.path={tmp_path}/{name}.npz"] for name in ("a", "b", "same"))
    assert id_of(*a) != id_of(*b)
    assert id_of(*a) != run_id(default())
    assert id_of(*a) == id_of(*same) == id_of(*a, "training.steps=7")


@pytest.mark.parametrize("change", ["data.sigma=2", "data.n_data=4"])
def test_how_a_file_is_used_matters(change: str, tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.ones((5, 2)), np.ones(5))
    assert id_of("data=npz", path, change) != id_of("data=npz", path)


# ------------------------------------------------------------------------------------ targets


@given(st.floats(0, 1e6), st.lists(st.sampled_from(SAMPLERS), min_size=1, unique=True), st.integers(8, 10**6))
def test_a_target_does_not_depend_on_what_is_sampled_around_it(gamma: float, names: list[str], draws: int) -> None:
    sampler = SamplerConfig(names=names, nuts=NutsConfig(draws=draws))
    other = replace(default(), posterior=PosteriorConfig(gamma=gamma), sampler=sampler)
    assert target_id(other) == target_id(default())


@pytest.mark.parametrize(
    "change", ["seed=1", "precision=float64", "data.n_data=101", "model.depth=2", "training.steps=77"]
)
def test_a_target_depends_on_what_it_is_made_from(change: str) -> None:
    assert target_id(job(change)) != target_id(default())


def test_the_noise_scale_of_classes_is_read_by_nothing(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.ones((5, 2)), np.arange(5))
    assert id_of("data=npz", path, "data.sigma=2") == id_of("data=npz", path)


def test_the_id_that_is_expected_is_not_part_of_it() -> None:
    assert run_id(replace(default(), expect_id="0123456789ab")) == run_id(default())


@pytest.mark.parametrize("looks", ["[0-9]+", "[0-9]+e[0-9]+"])
def test_no_id_is_a_number(looks: str) -> None:
    """``expect_id=17462e166688`` is inf to Hydra: the job of seed 8 of ``dln_1k`` could not be run."""

    def digits(seed: int) -> str:
        text = json.dumps({"schema": ids.SCHEMA, "seed": seed}, separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    seed = next(seed for seed in range(10_000) if re.fullmatch(looks, digits(seed)[:12]))
    found = ids._digest({"seed": seed})
    assert re.fullmatch("[0-9a-f]{12}", found)
    assert found in digits(seed)
    for value in (OverridesParser.create().parse_override(f"expect_id={found}").value(), yaml.safe_load(found)):
        assert value == found
    assert ids._digest({"seed": 0}) == digits(0)[:12]
