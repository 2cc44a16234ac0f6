"""Fast expansion gives what Hydra gives: the same jobs, in the same order, or the same refusal."""

import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from composing import CONF, job
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf.errors import OmegaConfBaseException

from llc.config import ConfigError
from llc.jobs.ids import run_id, target_id
from llc.sweeps import sweep
from llc.sweeps.points import PLAIN_NUMBER
from llc.sweeps.sweepjob import SweepJob


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CONF, tmp_path / "conf"))


def expanded(conf: Path, params: dict[str, str], name: str = "x") -> list[SweepJob]:
    """Return the jobs of a sweep over ``params``."""
    body = yaml.safe_dump({"hydra": {"sweeper": {"params": params}}}, sort_keys=False)
    (conf / f"sweep/{name}.yaml").write_text(f"# @package _global_\n{body}")
    return sweep.load(name, conf, conf.parent)


def one(conf: Path, text: str) -> SweepJob:
    """Return the job of overrides that are parted by `` & ``."""
    (found,) = expanded(conf, {key: value for key, _, value in (o.partition("=") for o in text.split(" & "))})
    return found


@pytest.mark.parametrize(
    "text",
    [
        "seed=3",
        "model=base",
        "data=linear & model=dln & model.widths=[20,8,10] & model.rank=4",
        "training=fast & training.learning_rate=1",
        "posterior={gamma: 3}",
        "posterior={gamma: 3, beta: 0.5}",
        "posterior.beta=null & posterior.gamma=2",
        "sampler.sgld={chains: 3} & sampler.sgld.draws=50",
        "sampler.names=[nuts, 'hmc']",
        "sampler.names=['sgld'] & sampler=fast",
        "data.x_dist='uniform'",
        'data.x_dist="normal"',
        "+experiment_name='a, b; $c `d` \\'e\\' ü'",
        "++experiment_name=x",
        "++seed=4",
        "model.widths=[8,8] & precision=float64 & threads=2",
        "training.grad_tol=0 & data.n_data=60",
        "model=dln_1k & seed=5",
        "model=dln_1k & model.width=[6,9] & model.layers=[3,4]",
        "model=quadratic & model.d_in=4",
        "model=crossing & model.exponents=[1,3]",
    ],
)
def test_a_job_is_the_one_that_hydra_composes(conf: Path, text: str) -> None:
    same_as_hydras(conf, one(conf, text))


@pytest.mark.parametrize("row", ["60,${data.n_data},7,[5]", '60,1,7,"[${seed},${seed}]"'])
def test_a_cell_may_refer_to_another_key(conf: Path, row: str) -> None:
    (conf / "sweep/x.csv").write_text(f"data.n_data,posterior.gamma,seed,model.widths\n{row}\n")
    (found,) = sweep.load("x", conf, conf.parent)
    same_as_hydras(conf, found)


def test_values_that_are_swept_over_a_preset_are_what_the_tables_show(conf: Path) -> None:
    text = """hydra: {sweeper: {params: {posterior: "base,{gamma: 3},{gamma: 10, beta0: 2}", data: "{n_data: 60}"}}}"""
    (conf / "sweep/x.yaml").write_text(f"# @package _global_\n{text}\n")
    found = sweep.load("x", conf, conf.parent)
    assert [job.swept["posterior"] for job in found] == ["base", {"gamma": 3}, {"gamma": 10, "beta0": 2}]
    assert [job.swept["data"] for job in found] == [{"n_data": 60}] * 3
    for each in found:
        same_as_hydras(conf, each)


def same_as_hydras(conf: Path, found: SweepJob) -> None:
    expected = job(*found.overrides, conf=conf, cwd=conf.parent)
    assert (found.run_id, found.target_id) == (run_id(expected), target_id(expected))
    assert (found.seed, found.threads, found.samplers) == (
        expected.seed,
        expected.threads,
        sorted(expected.sampler.names),
    )


@pytest.mark.parametrize(
    "text",
    [
        "seed=x",
        "posterior.gamma=[1]",
        "model.width=3",
        "model@model=base",
        "posterior=3",
        "posterior=3,4",
        "model=null",
        "seed=null",
    ],
)
def test_what_hydra_refuses_is_refused(conf: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(text.partition("=")[0].split(".")[-1])):
        one(conf, text)
    with pytest.raises((HydraException, OmegaConfBaseException, ValueError)):
        job(text, conf=conf)


def test_a_thousand_jobs_are_those_that_hydra_composes(conf: Path) -> None:
    params = {
        "model": "small,base",
        "posterior.gamma": "1,2.5,1e2",
        "sampler.sgld.step_size": "1e-5,3e-5",
        "data.noise": "normal,none",
        "seed": "range(0,40)",
    }
    jobs = expanded(conf, params)
    assert len(jobs) == len({found.run_id for found in jobs}) == 960
    for found in random.Random(0).sample(jobs, 8):
        expected = job(*found.overrides, conf=conf)
        assert (found.run_id, found.target_id) == (run_id(expected), target_id(expected))


@pytest.mark.parametrize(
    "values",
    [
        {"seed": "choice(3,1,2)"},
        {"seed": "range(5)", "posterior.gamma": "range(0.5,2,0.5)"},
        {"seed": "sort(3,1,2)", "posterior.gamma": "sort(2,1,reverse=true)"},
        {"seed": "tag(a,choice(1,2))"},
        {"posterior.gamma": "float(1,2)", "seed": "int(choice(1.0,2.0))"},
        {"data.x_dist": "str(choice(uniform,normal))"},
        {"model": "glob([s*,b*])", "data.x_dist": "'uniform',\"normal\""},
        {"sampler.names": "[sgld],[nuts,hmc]", "posterior": "{gamma: 2},{gamma: 3}"},
        {"model.widths": "[8],[8,8]", "seed": "range(0,3)", "data.x_dist": "'uniform',normal", "precision": "float64"},
    ],
)
def test_the_overrides_are_those_of_hydras_own_sweeper(conf: Path, values: dict[str, str]) -> None:
    # Hydra's parser looks for a pattern with its loader, which there is none of here.
    texts = [f"{key}={value.replace('glob([s*,b*])', 'base,small')}" for key, value in values.items()]
    expected = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(texts), max_batch_size=None)[0]
    assert [found.overrides for found in expanded(conf, values)] == [["+sweep=x", *overrides] for overrides in expected]


@pytest.mark.parametrize("value", ["shuffle(1,2,3)", "interval(0,1)", "choice(1,2", "-1,1", "x"])
def test_a_wrong_axis_is_named_with_its_line(conf: Path, value: str) -> None:
    head = "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: 0,1\n      # the width\n"
    (conf / "sweep/x.yaml").write_text(f"{head}      posterior.gamma: {value}\n")
    with pytest.raises(ConfigError) as error:
        sweep.load("x", conf, conf.parent)
    assert "line 7" in str(error.value)
    assert "posterior.gamma" in str(error.value)


def test_arrays_of_a_user_are_looked_up_once_composed(conf: Path) -> None:
    np.savez(conf.parent / "mine.npz", x=np.ones((6, 2)), y=np.ones(6))
    found = one(conf, "data=npz & data.path=mine.npz & seed=2")
    assert found.run_id == run_id(job("data=npz", "data.path=mine.npz", "seed=2", cwd=conf.parent))


@settings(max_examples=300, deadline=None)
@given(st.from_regex(PLAIN_NUMBER, fullmatch=True))
def test_a_plain_number_is_what_hydras_grammar_makes_of_it(text: str) -> None:
    match = PLAIN_NUMBER.fullmatch(text)
    assert match is not None
    (override,) = OverridesParser.create().parse_overrides([text])
    value = int(match[2]) if match[2] else float(match[3])
    assert (override.key_or_group, override.value()) == (match[1], value)
    assert type(override.value()) is type(value)


def test_a_value_has_the_type_of_the_schema_however_it_is_written(conf: Path) -> None:
    whole, real = one(conf, "posterior.gamma=2"), one(conf, "posterior.gamma=2.0")
    assert whole.run_id == real.run_id
    assert type(whole.swept["posterior.gamma"]) is float
