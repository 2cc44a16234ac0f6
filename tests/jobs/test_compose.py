"""From the command line and from saved files to a checked Job."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from composing import CLASSES, CONF, by_hydra, composed, job
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from llc import artifacts
from llc.config import ConfigError, Job
from llc.jobs.compose import check_keys, parse
from llc.jobs.ids import run_id


def saved(folder: Path, of: Job) -> dict:
    artifacts.write_config(folder, of)
    return yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))


def again(values: dict) -> Job:
    return parse(OmegaConf.create(values), CONF.parent)


# ---------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("sead=3", "seed"),
        ("modle=small", "model"),
        ("data.ndata=3", "data.n_data"),
        ("training.learningrate=3", "training.learning_rate"),
        ("sampler.ngld.draws=3", "sampler.sgld.draws"),
        ("sampler.nuts.max_treedepth=3", "sampler.nuts.max_tree_depth"),
        ("~posterio", "posterior"),
        ("+posterior.gama=3", "posterior.gamma"),
        ("++sampler.sgld.draw=3", "sampler.sgld.draws"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest(override: str, suggestion: str) -> None:
    with pytest.raises(ConfigError) as error:
        check_keys(["seed=1", override])
    assert str(error.value).startswith(f"{override.strip('~+').partition('=')[0]}: there is no such key ")
    assert str(error.value).endswith(f" (did you mean {suggestion}?)")


@pytest.mark.parametrize(
    "override",
    [
        "+experiment_name=x",
        "++anything.at.all=x",
        "hydra.run.dir=outputs/x",
        "hydra/launcher=basic",
        "model=small,base",
        "data.path='a b,c.npz'",
        "model.rank=3",
        "model.depth=3",
        "seed=range(0,3)",
        "+sweep=digits",
    ],
)
def test_known_keys_additions_and_hydras_own_pass(override: str) -> None:
    check_keys([override])


def test_an_override_that_hydra_cannot_read_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'seed=\['"):
        check_keys(["seed=["])


# -------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize(
    "overrides",
    [
        "",
        "model=base data=base",
        "data=digits model.widths=[4,5]",
        "data=linear model=dln training=truth precision=float64",
        "model=dln_1k seed=3",
        "model=quadratic",
        "model=crossing model.exponents=[2,3]",
        "data.noise=none",
        "data.noise=student_t data.sigma=0.5",
        "training.batch_size=null posterior.beta=1e-7",
        "sampler=fast sampler.names=[hmc,mclmc] threads=2",
        "model=dln data=linear sampler.names=[gibbs,nuts] sampler.gibbs.warmup=0",
        "training.optimizer=sgd training.learning_rate=1e-30 seed=2147483647",
        "+experiment_name=x",
    ],
)
def test_a_saved_job_is_the_same_job(overrides: str, tmp_path: Path) -> None:
    job_before = job(*overrides.split())
    job_after = again(saved(tmp_path, job_before))
    assert job_after == job_before
    assert run_id(job_after) == run_id(job_before)


def test_a_saved_job_on_a_file_is_the_same_job_from_anywhere(tmp_path: Path) -> None:
    np.savez(tmp_path / "my data.npz", x=np.ones((5, 2)), y=CLASSES)
    job_before = job("data=npz", "data.path='my data.npz'", "data.n_data=4", cwd=tmp_path)
    assert again(saved(tmp_path, job_before)) == job_before


@settings(max_examples=30, deadline=None)
@given(gamma=st.floats(0, 1e38), step_size=st.floats(1e-300, 1))
def test_a_saved_number_keeps_every_digit(
    gamma: float, step_size: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    values = saved(tmp_path_factory.getbasetemp(), again({**BARE, "posterior": {"gamma": gamma}}))
    values["sampler"]["sgld"]["step_size"] = step_size
    job_before = again(values)
    assert job_before.posterior.gamma == gamma
    assert again(saved(tmp_path_factory.getbasetemp(), job_before)) == job_before


BARE = {"data": {"kind": "teacher"}, "model": {"kind": "mlp"}}


def test_what_hydra_saves_is_the_same_job() -> None:
    config = by_hydra("model=base", "data.noise=none", "sampler=fast", "+experiment_name=x")
    assert again(yaml.safe_load(OmegaConf.to_yaml(config))) == parse(config, CONF.parent)


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_what_the_tests_compose_is_what_hydra_composes(order: slice) -> None:
    overrides = ["model=dln", "posterior={gamma: 3}", "posterior.gamma=2", "+experiment_name=x", "model.widths=[4,5]"]
    overrides = [*overrides, "training=fast", "sampler.names=[nuts,hmc]", "~data", "precision=float64", "seed=7"][order]
    for some in (overrides, overrides[:3], []):
        found, expected = composed(*some), by_hydra(*some)
        assert found == expected
        assert OmegaConf.get_type(found) is OmegaConf.get_type(expected)
        assert OmegaConf.is_struct(found) == OmegaConf.is_struct(expected)


def test_how_a_run_was_started_is_not_saved(tmp_path: Path) -> None:
    values = saved(tmp_path, replace(job("stage=target", "target=somewhere"), expect_id="x"))
    assert not {"stage", "target", "expect_id"} & set(values)


# ------------------------------------------------------------------------ saved, then damaged


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.steps", "abc", "training.steps: Value 'abc'"),
        ("seed", 1.5, "seed: Value '1.5'"),
        ("model.widths", ["a"], r"model.widths\[0\]: Value 'a'"),
        ("posterior.gamma", [1], r"posterior.gamma: Value '\[1\]'"),
        ("sampler.names", "sgld", "sampler.names: "),
        ("sampler.nuts", None, "sampler.nuts: "),
        ("model.foo", 3, "model.foo: Key 'foo'"),
        ("sampler.nuts.drawz", 3, "sampler.nuts.drawz: Key 'drawz'"),
        ("posterior.gamma", float("inf"), "posterior.gamma=inf: must be finite"),
        ("posterior.gamma", -1, "posterior.gamma=-1.0: must be 0 or more"),
        ("data.kind", "digit", r"data.kind='digit': must be one of .*\(did you mean digits\?\)"),
        ("model", "small", "model='small': a saved configuration has no presets"),
        ("data", None, "data=None: a saved configuration has no presets"),
    ],
)
def test_a_wrong_value_in_a_saved_configuration_is_refused_by_key(
    key: str, value: object, message: str, tmp_path: Path
) -> None:
    config = OmegaConf.create(saved(tmp_path, job()))
    OmegaConf.update(config, key, value, merge=False)
    with pytest.raises(ConfigError, match=f"^{message}"):
        parse(config, CONF.parent)


def test_a_saved_section_without_its_kind_is_refused(tmp_path: Path) -> None:
    values = saved(tmp_path, job())
    del values["data"]["kind"]
    with pytest.raises(ConfigError, match=r"data\.kind='\(missing\)'"):
        again(values)


def test_a_file_that_changed_after_the_job_was_saved_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((5, 7)), y=CLASSES)
    values = saved(tmp_path, job("data=npz", f"data.path={tmp_path}/my.npz"))
    np.savez(tmp_path / "my.npz", x=np.zeros((5, 7)), y=CLASSES)
    with pytest.raises(ConfigError, match=r"data\.sha256=.*must be the digest of .*my\.npz"):
        again(values)


def test_a_relative_target_starts_where_the_command_is_started(tmp_path: Path) -> None:
    assert job("target=results/targets/x", cwd=tmp_path).target == str(tmp_path / "results/targets/x")


def test_the_kind_is_chosen_by_preset_and_not_overridden() -> None:
    with pytest.raises(ConfigError, match=r"data.kind='digits': must be teacher here; choose a preset with data="):
        job("data.kind=digits")


@pytest.mark.parametrize("section", ["data", "training", "sampler"])
def test_a_preset_beside_a_saved_configuration_is_refused(section: str) -> None:
    with pytest.raises(ConfigError, match=f"{section}='fast': a saved configuration has no presets"):
        again({**BARE, section: "fast"})


def test_a_dangling_interpolation_in_a_saved_configuration_is_an_error_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"seed: Interpolation key 'nowhere' not found"):
        again({**BARE, "seed": "${nowhere}"})


def test_an_unknown_key_in_a_saved_section_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"posterior.gama: .*did you mean posterior.gamma\?"):
        again({**BARE, "posterior": {"gama": 1.0}})


def test_a_job_whose_configuration_is_not_the_planned_one_is_refused() -> None:
    known = run_id(job())
    assert job(f"expect_id={known}").expect_id == known
    with pytest.raises(ConfigError, match=f"expect_id='0123456789ab': must be {known}.*plan again"):
        job("expect_id=0123456789ab")
