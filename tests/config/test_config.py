"""The schema, and the files of conf/ that build on it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from composing import CONF, job
from hydra.errors import HydraException

from llc.config import ConfigError, MlpModel, TeacherData, TrainingConfig, nearest

FILES = sorted(CONF.rglob("*.yaml"))
PRESETS = [f"{file.parent.name}={file.stem}" for file in FILES if file.parent != CONF and file.parent.name != "sweep"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(CONF)))
def test_the_first_line_of_a_file_is_a_comment(file: Path) -> None:
    assert file.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_makes_a_job(preset: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((4, 2)), y=np.ones(4))
    (tmp_path / "mine.py").write_text("def made(): ...")
    np.savez(tmp_path / "w.npz", w_star=np.zeros(51))
    given = {
        "data=npz": [f"data.path={tmp_path}/my.npz"],
        "data=own": ["data._target_=mine.made"],
        "model=own": ["model._target_=mine.made", "data=digits"],
        "training=file": [f"training.path={tmp_path}/w.npz"],
    }
    job(preset, *given.get(preset, []), cwd=tmp_path)


REFUSED = [
    "data.n_data=1",
    "data.x_scale=0.0",
    "data.noise_scale=-0.1",
    "data.sigma=0.0",
    "data.sigma=-1.0",
    "data=digits data.n_data=9",
    "data=digits data.n_data=1798",
    "model.depth=0",
    "model.target_params=0",
    "model.widths=[]",
    "model.widths=[8, 0]",
    "model=dln model.widths=[20]",
    "model=dln model.widths=[20, 0, 20]",
    "model=dln model.rank=21",
    "model=dln model.rank=-1",
    "model=dln_1k model.layers=[5,2]",
    "model=dln_1k model.layers=[0,2]",
    "model=dln_1k model.width=[5]",
    "model=dln_1k model.width=[5,5]",
    "model=quadratic model.d_in=0",
    "model=crossing model.exponents=[1]",
    "model=crossing model.exponents=[0,1]",
    "model=crossing model.exponents=[1,11]",
    "training.learning_rate=0.0",
    "training.momentum=1.0",
    "training.momentum=-0.1",
    "training.weight_decay=-0.1",
    "training.steps=0",
    "training.batch_size=-1",
    "training.grad_tol=-0.1",
    "training.polish_steps=-1",
    "posterior.beta0=0.0",
    "posterior.beta=0.0",
    "posterior.gamma=-1.0",
    "sampler.names=[]",
    "sampler.sgld.step_size=0.0",
    "sampler.sgld.momentum=0.99999999",
    "sampler.sgld.step_size=1e-4 sampler.sgld.momentum=0.9",
    "sampler.nuts.draws=7",
    "sampler.nuts.budget=0.0",
    "sampler.sgld.batch_size=0",
    "sampler.sgld.warmup=-1",
    "sampler.sgld.thin=0",
    "sampler.hmc.target_accept=1.0",
    "sampler.hmc.trajectory_length=0.0",
    "sampler.hmc.warmup=0",
    "sampler.nuts.target_accept=0.0",
    "sampler.nuts.max_tree_depth=0",
    "sampler.nuts.max_tree_depth=16",
    "sampler.nuts.warmup=0",
    "sampler.nuts.draws=7",
    "sampler.mclmc.target_accept=1.0",
    "sampler.mclmc.warmup=0",
    "sampler.mclmc.chains=0",
    "sampler.gibbs.warmup=-1",
    "sampler.gibbs.draws=7",
    "seed=-1",
    "seed=2147483648",
    "threads=0",
]


@pytest.mark.parametrize("overrides", REFUSED)
def test_a_value_out_of_range_is_refused_by_key_and_value(overrides: str) -> None:
    *others, last = overrides.replace(", ", ",").split()
    with pytest.raises(ConfigError) as error:
        job(*others, last)
    assert str(error.value).startswith(f"{last.replace(',', ', ')}: must be ")


@pytest.mark.parametrize("key", ["model.d_in", "model.d_out"])
def test_a_network_without_inputs_or_outputs_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}.*0.*at least 1"):
        job(f"{key}=0")


def test_a_sampler_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.names=\['sgld', 'sgld'\]: must be .*each once"):
        job("sampler.names=[sgld,sgld]")


def test_a_network_needs_a_size_or_widths() -> None:
    with pytest.raises(ConfigError, match=r"model\.target_params=None: must be .*widths"):
        job("model.target_params=null")


@pytest.mark.parametrize(
    ("override", "suggestion"),
    [
        ("data.x_dist=unifrom", "uniform"),
        ("data.noise=norml", "normal"),
        ("model.activation=than", "tanh"),
        ("training.w_star=teachers", "teacher"),
        ("training.optimizer=adm", "adam"),
        ("sampler.names=[nutz]", "nuts"),
        ("precision=float46", "float64"),
        ("stage=targets", "target"),
        ("model=dln model.teacher=alined", "aligned"),
        ("model=quadratic model.teacher=zeros", "zero"),
    ],
)
def test_a_mistyped_choice_is_answered_with_the_nearest(override: str, suggestion: str) -> None:
    with pytest.raises(ConfigError, match=rf"must be one of .*\(did you mean {suggestion}\?\)"):
        job(*override.split())


@pytest.mark.parametrize("missing", ["layers", "width"])
def test_no_widths_and_no_ends_to_draw_them_between_are_refused(missing: str) -> None:
    with pytest.raises(ConfigError, match=rf"model\.{missing}=None: must be \[lo, hi\] .* where model\.widths is null"):
        job("model=dln_1k", f"model.{missing}=null")


def test_nothing_is_suggested_for_a_word_unlike_all_choices() -> None:
    assert nearest("zzz", ["tanh", "relu"]) == ""


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize(
    "key",
    [
        "data.noise_scale",
        "data.sigma",
        "training.learning_rate",
        "posterior.gamma",
        "posterior.beta",
        "posterior.beta0",
    ],
)
def test_a_number_that_is_not_finite_is_refused_by_key(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}={value}: must be"):
        job(f"{key}={value}")


def test_a_number_in_a_sampler_that_is_not_finite_is_refused_by_key() -> None:
    with pytest.raises(ConfigError, match=r"sampler\.sgld\.step_size=inf: must be finite"):
        job("sampler.sgld.step_size=inf")


def test_a_number_in_a_list_that_is_not_finite_is_refused_by_place() -> None:
    with pytest.raises(ConfigError, match=r"data\.args\.w\.1=inf: must be finite"):
        job(
            "model=quadratic",
            "model.d_in=2",
            "data=own",
            "data._target_=examples.robust.line",
            "data.args={w: [0,inf]}",
        )


@pytest.mark.parametrize("override", ["data.n_data=many", "seed=1.5", "model.widths=8", "posterior.gamma=[1]"])
def test_a_wrong_type_is_refused_when_composing(override: str) -> None:
    with pytest.raises(HydraException, match=override.split("=")[0]):
        job(override)


@pytest.mark.parametrize("none", ["data.noise=none", "data.noise_scale=0"])
def test_both_spellings_of_no_noise_are_one(none: str) -> None:
    assert job(none).data == TeacherData(n_data=100, noise="none", noise_scale=0.0, sigma=1.0)


def test_the_likelihood_has_the_noise_of_the_labels_by_default() -> None:
    assert job("data.noise_scale=0.25").data.sigma == 0.25


def test_a_given_likelihood_is_kept_without_noise() -> None:
    assert job("data.noise=none", "data.sigma=0.5").data.sigma == 0.5


def test_explicit_widths_say_the_depth() -> None:
    assert MlpModel(depth=3, widths=[4, 5]).depth == 2


def test_a_batch_of_no_rows_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"training.batch_size=0"):
        TrainingConfig(batch_size=0)


@pytest.mark.parametrize("value", ["fast", "true", "null", "[1e-4]"])
def test_a_step_size_is_auto_or_a_number(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^sampler\.sgld\.step_size=.*: must be auto, or a number above 0$"):
        job(f"sampler.sgld.step_size={value}")


def test_a_preconditioner_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^sampler\.sgld\.preconditioner='rms': must be one of .*mean rmsprop"):
        job("sampler.sgld.preconditioner=rms")


def test_what_is_in_a_list_is_checked_too() -> None:
    """In a process of its own: here a list of other lists fails for its type."""
    script = """
from llc.config import ConfigError, DlnModel, MlpModel, TrainingConfig
for kind, key in (MlpModel, "widths"), (DlnModel, "widths"), (TrainingConfig, "checkpoints"):
    try:
        kind(**{key: [[4, 4], [8]]})
    except ConfigError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    keys = [line.partition("=[[4, 4], [8]]: must be ")[0] for line in done.stdout.splitlines()]
    assert keys == ["model.widths", "model.widths", "training.checkpoints"]
