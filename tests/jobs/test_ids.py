"""A run id depends on everything that can change the numbers, and on nothing else."""

import hashlib
import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from composing import job
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from llc.config import (
    GibbsConfig,
    HmcConfig,
    Job,
    MclmcConfig,
    NutsConfig,
    PosteriorConfig,
    SamplerConfig,
    SgldConfig,
    TrainingConfig,
)
from llc.jobs import ids
from llc.jobs.compose import known_keys
from llc.jobs.ids import run_id, target_id

OWN_DATA = "model=quadratic model.d_in=2 data=own data._target_=examples.robust.line"
OWN_MODEL = "data=digits model=own model._target_=examples.plain_jax.mlp"
SAMPLERS = ["sgld", "hmc", "nuts", "mclmc", "gibbs"]


@cache
def default() -> Job:
    return job()


@cache
def id_of(*overrides: str) -> str:
    return run_id(job(*overrides))


def save(path: Path, x: np.ndarray, y: np.ndarray) -> str:
    np.savez(path, x=x, y=y)
    return f"data.path={path}"


def test_the_id_of_the_default_job_is_known() -> None:
    # A change of this id makes all results anyone has stale: change a default, the schema or
    # how ids are made only on purpose, and then this line with it.
    assert run_id(default()) == "a83996e06eab"


@given(st.integers(0, 2**31 - 1))
def test_ids_are_twelve_hex_digits(seed: int) -> None:
    ids = run_id(replace(default(), seed=seed)) + target_id(replace(default(), seed=seed))
    assert len(ids) == 24
    assert set(ids) <= set("0123456789abcdef")


def test_the_targets_of_deep_linear_networks_are_those_from_before_there_were_other_teachers() -> None:
    assert target_id(job("model=dln", "data=linear", "training=truth")) == "ff5e8a9a2ad7"
    assert target_id(job("model=dln", "data=linear")) == "19381bf83d35"


# --------------------------------------------------------------------------------- the same job


@pytest.mark.parametrize(
    "overrides",
    [
        "data.n_data=100",
        "data=small",
        "model=small",
        "model.depth=1 model.target_params=50 model.d_in=3",
        "training.learning_rate=0.01",
        "training=base",
        "posterior.gamma=1.0",
        "posterior.beta=null",
        "sampler=base",
        "sampler.names=[sgld,nuts]",
        "seed=0",
        "precision=float32",
    ],
)
def test_stating_a_default_changes_nothing(overrides: str) -> None:
    assert id_of(*overrides.split()) == run_id(default())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("model=base", "model.depth=3 model.target_params=10000 model.d_in=32"),
        ("data=base", "data.n_data=20000"),
        ("training=fast", "training.steps=2000"),
        ("training.learning_rate=1e-3", "training.learning_rate=0.001"),
        ("training.learning_rate=1e-3", "training.learning_rate=1E-03"),
        ("posterior.gamma=1", "posterior.gamma=1.0"),
        ("posterior.gamma=100", "posterior.gamma=1e2"),
        ("data.n_data=1000", "data.n_data=1_000"),
        ("model.activation=relu", "model.activation='relu'"),
        ("data.noise=none", "data.noise_scale=0"),
        ("data.noise=none", "data.noise=none data.noise_scale=0.3"),
        ("data.noise_scale=0.3", "data.noise_scale=0.3 data.sigma=0.3"),
        ("data=digits loss=cross_entropy", "data=digits"),
        (f"{OWN_DATA} loss=mse", f"{OWN_DATA} loss=mse data.sigma=2"),
        ("model=dln data=linear loss=mse", "model=dln data=linear data.sigma=3.1622776601683795"),
        ("sampler.sgld.draws=100", "sampler.sgld.draws=100 sampler.sgld.budget=7"),
        ("sampler.sgld.batch_size=100", "sampler.sgld.batch_size=101 sampler.sgld.control_variates=true"),
        ("sampler.sgld.batch_size=100", "sampler.sgld.batch_size=50"),
        ("data.n_data=2000", "data.n_data=2000 sampler.sgld.batch_size=1000"),
        (
            "data.n_data=999 sampler.sgld.step_size=1e-5",
            "data.n_data=999 sampler.sgld.step_size=1e-5 sampler.sgld.batch_size=64",
        ),
        ("sampler.sgld.step_size=1e-5", "sampler.sgld.step_size=1e-5 sampler.sgld.momentum=0"),
        ("", "sampler.sgld.momentum=0.97"),
        ("sampler.sgld.momentum=0", "sampler.sgld.momentum=-0.0"),
    ],
)
def test_spellings_of_one_value_are_one_job(one: str, other: str) -> None:
    assert id_of(*one.split()) == id_of(*other.split())


@settings(max_examples=15, deadline=None)
@given(st.floats(1e-8, 1e8))
def test_every_spelling_of_a_float_is_one_job(gamma: float) -> None:
    expected = run_id(replace(default(), posterior=PosteriorConfig(gamma=gamma)))
    assert id_of(f"posterior.gamma={gamma!r}") == id_of(f"posterior.gamma={gamma:.17e}") == expected


OVERRIDES = ["seed=3", "model=base", "data.n_data=77", "posterior.gamma=2", "training=fast", "sampler.sgld.thin=7"]


@settings(max_examples=10, deadline=None)
@given(st.permutations(OVERRIDES))
def test_the_order_of_overrides_does_not_matter(overrides: list[str]) -> None:
    assert id_of(*overrides) == id_of(*OVERRIDES)


@given(st.lists(st.sampled_from(SAMPLERS), min_size=1, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_samplers_does_not_matter(names: list[str], random: np.random.Generator) -> None:
    shuffled = names.copy()
    random.shuffle(shuffled)
    first, second = (replace(default(), sampler=SamplerConfig(names=order)) for order in (names, shuffled))
    assert run_id(first) == run_id(second)


@given(st.integers(8, 10**6), st.integers(1, 100))
def test_settings_of_samplers_that_do_not_run_do_not_matter(draws: int, chains: int) -> None:
    others = SamplerConfig(
        names=["nuts"],
        sgld=SgldConfig(draws=draws, chains=chains),
        hmc=HmcConfig(draws=draws, chains=chains),
        mclmc=MclmcConfig(draws=draws, chains=chains),
        gibbs=GibbsConfig(draws=draws, chains=chains),
    )
    expected = run_id(replace(default(), sampler=SamplerConfig(names=["nuts"])))
    assert run_id(replace(default(), sampler=others)) == expected


@pytest.mark.parametrize(
    ("context", "overrides"),
    [
        ("", "threads=4"),
        ("", "stage=target"),
        ("", "target=results/targets/0123456789ab"),
        ("", "+experiment_name=x"),
        ("", "training.momentum=0.5"),
        ("", "training.weight_decay=0.5"),
        ("training.optimizer=adamw", "training.momentum=0.5"),
        ("training.optimizer=sgd", "training.weight_decay=0.5"),
        ("training.batch_size=null", "training.batch_size=100"),
        ("sampler.sgld.batch_size=100", "sampler.sgld.batch_size=101"),
        ("model.widths=[4,4]", "model.depth=7"),
        ("model.widths=[4,4]", "model.target_params=7"),
        ("model=dln", "model.target_params=7"),
        ("data=digits model=dln model.widths=[64,10]", "model.rank=1"),
        ("data=digits", "model.d_in=5 model.d_out=5"),
        ("model=dln", "model.layers=[2,3] model.width=[4,5]"),
        ("model=dln", "model.teacher=aligned"),
        ("model=dln_1k", "model.rank=99"),
        ("data=digits model=dln model.widths=[64,10]", "model.teacher=reduced"),
        ("model=quadratic", "model.target_params=7"),
        ("model=crossing", "model.target_params=7"),
        ("training=truth", "training.steps=7 training.learning_rate=0.5 training.batch_size=3"),
        ("posterior.beta=0.2", "posterior.beta0=7"),
        ("posterior.gamma=0", "posterior.gamma=-0.0"),
        ("", "model.target_params=51"),  # solved for the same width
        ("", "model.widths=[10]"),
    ],
)
def test_what_nothing_reads_does_not_matter(context: str, overrides: str) -> None:
    assert id_of(*context.split(), *overrides.split()) == id_of(*context.split())


@given(st.integers(100, 10**9))
def test_a_batch_of_all_rows_or_more_is_all_rows(batch_size: int) -> None:
    one, other = (replace(default(), training=TrainingConfig(batch_size=size)) for size in (batch_size, None))
    assert run_id(one) == run_id(other)


def test_a_file_with_the_same_content_elsewhere_is_the_same_job(tmp_path: Path) -> None:
    first = save(tmp_path / "a.npz", np.ones((5, 2)), np.ones(5))
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes())
    assert id_of("data=npz", first) == id_of("data=npz", f"data.path={tmp_path}/b.npz")


def test_a_relative_path_is_the_same_job_as_the_absolute_one(tmp_path: Path) -> None:
    absolute = save(tmp_path / "a.npz", np.ones((5, 2)), np.ones(5))
    assert run_id(job("data=npz", "data.path=a.npz", cwd=tmp_path)) == id_of("data=npz", absolute)


@pytest.mark.parametrize("seed", [0, 7])
def test_widths_that_are_drawn_and_the_same_widths_written_out_are_one_job(seed: int) -> None:
    drawn = job("model=dln_1k", f"seed={seed}")
    written = job("model=dln", "model.teacher=reduced", f"model.widths={drawn.model.widths}", f"seed={seed}")
    assert run_id(drawn) == run_id(written)
    assert target_id(drawn) == target_id(written)


def test_a_saved_linear_regression_takes_the_inputs_of_its_file(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", np.ones((5, 2)), np.ones(5))
    assert id_of("data=npz", path, "model=quadratic", "model.d_in=7") == id_of("data=npz", path, "model=quadratic")
    assert id_of("data=npz", path, "model=quadratic", "model.teacher=zero") == id_of(
        "data=npz", path, "model=quadratic"
    )


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
