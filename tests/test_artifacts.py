"""What is written into a run directory, and what goes from it before."""

from pathlib import Path

import numpy as np
import pytest

from llc import artifacts
from llc.config import Job
from llc.samplers import Trace


@pytest.mark.parametrize(("target", "left"), [(None, ["train.log"]), (".", ["target.json", "train.log"])])
def test_beginning_again_removes_the_result_and_keeps_what_it_needs(
    target: str | None, left: list[str], tmp_path: Path
) -> None:
    for name in ("metrics_summary.csv", "target.json", "train.log"):
        (tmp_path / name).write_text("old")
    artifacts.begin(tmp_path, Job(target=target))
    assert sorted(p.name for p in tmp_path.iterdir()) == left


@pytest.mark.filterwarnings("ignore::FutureWarning")  # ArviZ announces its next version when imported
def test_traces_open_as_arviz_inference_data(tmp_path: Path) -> None:
    import arviz

    rng = np.random.default_rng(0)
    traces = {
        name: Trace(
            loss=rng.normal(size=shape),
            n_grad_evals=1.0,
            stats={"diverging": np.zeros(shape, bool)},
            tuned={"step_size": np.ones(shape[0])},
        )
        for name, shape in {"nuts": (4, 10), "sgld": (2, 30)}.items()
    }
    artifacts.write_traces(tmp_path, traces)
    for name, trace in traces.items():
        data = arviz.InferenceData.from_netcdf(tmp_path / "traces.nc", base_group=name)
        np.testing.assert_array_equal(data.posterior["loss"], trace.loss)
        np.testing.assert_array_equal(data.sample_stats["tuned_step_size"], 1.0)
        assert data.sample_stats["diverging"].dtype == bool
        assert not data.sample_stats["diverging"].any()


def test_a_table_has_its_numbers_in_full_and_empty_cells_where_there_are_none() -> None:
    rows = {"hmc": {"a": 0.1 + 0.2, "b": None, "reason": 'R-hat 1.02, "x"'}, "sgld": {"a": float("nan"), "c": 3}}
    expected = 'sampler,a,b,reason,c\nhmc,0.30000000000000004,,"R-hat 1.02, ""x""",\nsgld,,,,3\n'
    assert artifacts._table(rows) == expected
