"""What cannot change the numbers does not change a run id."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from composing import job
from hypothesis import given, settings
from hypothesis import strategies as st
from identifying import OWN_DATA, SAMPLERS, default, id_of, save

from llc.config import (
    GibbsConfig,
    HmcConfig,
    MclmcConfig,
    PosteriorConfig,
    SamplerConfig,
    SgldConfig,
    TrainingConfig,
)
from llc.jobs.ids import run_id, target_id


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
