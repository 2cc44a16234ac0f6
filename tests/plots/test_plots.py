"""Figures show every estimate, of the axes that a sweep has, and depend on the data alone."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from fabricating import write_sweep
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from llc.config import SamplerConfig
from llc.plots import along, diagnostics, heat, known, samplers, style, tables, traces, training
from llc.plots.scales import y_limits
from llc.plots.tables import Axis, Tables

STATUSES = ("ok", "not_converged", "biased", "negative", "not_minimum", "not_local")
STEPS, GAMMAS = (1e-5, 1e-4, 1e-3), (1.0, 100.0)


def grid(**axes: Any) -> list[dict[str, Any]]:
    keys = [key.replace("__", ".") for key in axes]
    return [dict(zip(keys, values, strict=True)) for values in product(*axes.values())]


def made(folder: Path, jobs: list[dict[str, Any]], estimates: Any) -> Tables:
    folder = folder / "results/sweeps/made"
    write_sweep(folder, jobs, estimates)
    return tables.read(folder / "partial" if (folder / "partial").exists() else folder)


def calibration(job: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return estimates of every status, one that diverged, one far off, and one job that failed."""
    step, gamma, seed = job["sampler.sgld.step_size"], job["posterior.gamma"], job["seed"]
    number = STEPS.index(step) * 4 + GAMMAS.index(gamma) * 2 + seed
    if number == 5:
        return None
    status = STATUSES[number % 6] if step > STEPS[0] else "ok"
    mean = {10: None, 11: 1e6}.get(number, 5.0 + number / 10)
    own = {"llc_mean": mean, "status": "diverged" if mean is None else "biased" if mean > 10 else status}
    return {"sgld": {**own, "llc_exact": 5.0 + GAMMAS.index(gamma)}, "nuts": {"llc_mean": 5.0, "llc_exact": 5.0}}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    jobs = grid(sampler__sgld__step_size=STEPS, posterior__gamma=GAMMAS, seed=[0, 1])
    return made(tmp_path_factory.mktemp("sweep"), jobs, calibration)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with mpl.rc_context(style.STYLE):
        yield


def points(figure: Figure | Axes, *, inside: bool) -> list[Line2D]:
    """Return the markers of estimates, or those at and above the edge of a panel."""
    found = [line for line in figure.findobj(Line2D) if line.axes and line.get_linestyle() == "None"]
    return [line for line in found if line.get_in_layout() == inside and line.get_marker() in style.MARKERS.values()]


def finite(lines: list[Line2D]) -> int:
    return int(sum(np.isfinite(np.asarray(line.get_ydata(), float)).sum() for line in lines))


def drawn(module: Any, of: Tables) -> dict[str, Figure]:
    return dict(module.figures(of))


def test_axes_are_the_swept_keys_but_seeds_and_samplers(tmp_path: Path) -> None:
    jobs = grid(
        data__n_data=[1000, 10], model=["small", "base"], sampler__sgld__batch_size=[None, 64],
        posterior__gamma=[1.0], seed=[0, 1],
    )  # fmt: skip
    found = made(tmp_path, [{**job, "sampler.names": "[nuts]"} for job in jobs], lambda job: {"nuts": 1.0})
    assert [axis.key for axis in found.axes] == ["data.n_data", "model", "sampler.sgld.batch_size"]
    n_data, model, batch = found.axes
    assert (n_data.levels, n_data.log, n_data.label) == ((10.0, 1000.0), True, "number of data $n$")
    assert (model.levels, model.numeric) == (("small", "base"), False)
    assert batch.levels == ("null", "64")
    assert len(drawn(along, found)) == 3


def test_values_that_are_one_number_are_as_many_levels_as_texts(tmp_path: Path) -> None:
    found = made(tmp_path, grid(data__args__a=["1", "01", "1.0"], seed=[0]), lambda _: {"sgld": 5.0})
    (axis,) = found.axes
    assert axis.levels == ("1", "01", "1.0")
    assert list(found.estimates["data.args.a"]) == ["1", "01", "1.0"]
    assert list(along.figures(found))


def test_where_only_seeds_are_swept_they_are_the_axis(tmp_path: Path) -> None:
    found = made(tmp_path, grid(seed=[3, 1]), lambda job: {"gibbs": float(job["seed"])})
    assert [(axis.key, axis.levels) for axis in found.by] == [("seed", (1.0, 3.0))]
    (figure,) = drawn(along, found).values()
    assert finite(points(figure, inside=True)) == 2


@pytest.mark.parametrize("module", [along, diagnostics])
def test_every_estimate_is_drawn_and_every_failure(sweep: Tables, module: Any) -> None:
    estimates = sweep.estimates
    for figure in drawn(module, sweep).values():
        panels = 1 if module is along else len(diagnostics.ROWS)
        assert finite(points(figure, inside=True)) == panels * estimates["llc_mean"].notna().sum()
        above = [line for line in points(figure, inside=False) if (np.asarray(line.get_ydata()) == 1).all()]
        assert finite(above) == panels * (estimates["llc_mean"].isna().sum() + len(sweep.failures))
        shown = {line.get_marker() for line in points(figure, inside=True) + above}
        assert shown == {style.MARKERS[status] for status in {*estimates["status"], "failed"}}


def test_an_estimate_far_off_is_at_the_edge_and_leaves_the_scale_to_the_others(sweep: Tables) -> None:
    low, high = y_limits(sweep.estimates)  # type: ignore[misc]
    assert 4 < low < high < 10
    for figure in drawn(along, sweep).values():
        (edge,) = [line for line in points(figure, inside=False) if (np.asarray(line.get_ydata()) == along.TOP).all()]
        assert (edge.get_marker(), len(edge.get_xdata())) == (style.MARKERS["biased"], 1)
        assert "↑" in [text.get_text() for text in figure.findobj(mpl.text.Text)]


def test_the_line_is_the_mean_of_what_is_ok(tmp_path: Path) -> None:
    def estimates(job: Mapping[str, Any]) -> dict[str, Any]:
        status = "ok" if job["seed"] < 2 else "not_converged"
        return {"nuts": {"llc_mean": job["data.n_data"] / 100 + 10.0 ** job["seed"], "status": status}}

    found = made(tmp_path, grid(data__n_data=[100, 200], seed=[0, 1, 2]), estimates)
    (figure,) = drawn(along, found).values()
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_linestyle() != "None" and len(line.get_xdata())]
    assert np.asarray(line.get_xdata()) == pytest.approx([100, 200])
    assert np.asarray(line.get_ydata()) == pytest.approx([1 + 5.5, 2 + 5.5])


def test_the_known_value_is_a_line(sweep: Tables) -> None:
    by_gamma, by_step = (drawn(along, sweep)[key] for key in ("posterior.gamma", "sampler.sgld.step_size"))
    for figure in (by_gamma, by_step):
        assert "exact at this n, β, γ" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_many_seeds_and_many_settings_have_a_figure_too(tmp_path: Path) -> None:
    jobs = grid(data__n_data=[10, 20, 40], posterior__gamma=[float(i) for i in range(14)], seed=range(2))
    found = made(tmp_path, jobs, lambda job: {"nuts": 1.0 + job["seed"], "sgld": 2.0 - job["seed"]})
    panels = [len(figure.axes) for figure in drawn(along, found).values()]
    assert panels == [1, 3]  # 14 values of γ share one; 3 sizes have one each
    assert all(finite(points(f, inside=True)) == 2 * len(jobs) for f in drawn(along, found).values())


def test_a_heat_map_has_the_mean_of_what_is_ok_and_the_share_of_it(sweep: Tables) -> None:
    (name,) = drawn(heat, sweep)
    assert name == "sgld-sampler.sgld.step_size-posterior.gamma"
    x, y = sweep.axes
    cells = heat._cells(sweep.estimates[sweep.estimates["sampler"] == "sgld"], x, y)
    assert cells["value"][0] == pytest.approx([5.05 / 5 - 1, 5.4 / 5 - 1, 5.85 / 5 - 1])  # γ = 1: the exact value is 5
    assert cells["ok"] == pytest.approx(np.array([[1, 0, 0], [1, 0.5, 0]]))
    assert cells["text"][1, 1] == "5.6"  # of two, one is ok
    assert cells["count"].tolist() == [["", "0/1", "0/2"], ["", "1/2", "0/2"]]


def test_samplers_are_compared_job_by_job_in_standard_errors(sweep: Tables) -> None:
    pairs = samplers._pairs(sweep.estimates, "nuts", "sgld").set_index("job_id")
    assert len(pairs) == 11
    assert pairs.loc[1, "z"] == pytest.approx(0.1 / np.hypot(0.1, 0.1))
    assert pairs.loc[8, "status"] == "biased"
    (figure,) = drawn(samplers, sweep).values()
    assert finite(points(figure, inside=True)) == 2 * 10  # a pair above and below; one has no value


def test_what_is_known_is_compared_where_it_differs(sweep: Tables, tmp_path: Path) -> None:
    (name, figure) = next(iter(drawn(known, sweep).items()))
    assert name == "llc_exact"
    assert finite(points(figure, inside=True)) == 21
    found = made(tmp_path, grid(seed=[0, 1]), lambda job: {"gibbs": 3.0 + job["seed"], "sgld": 3.0})
    assert list(drawn(known, found)) == ["gibbs"]


def test_traces_are_those_of_the_chains_and_bounded_in_number(sweep: Tables) -> None:
    (figure,) = drawn(traces, sweep).values()
    assert sum(axes.get_visible() for axes in figure.axes) == 22
    run = sweep.estimates.iloc[0]
    llc = run["n_data"] * run["beta"] * (traces.read(sweep.runs / run["run_id"] / "traces.nc", "nuts") - 0.5)
    for line, chain in zip(figure.axes[0].get_lines(), llc, strict=False):
        assert np.asarray(line.get_ydata()) == pytest.approx(chain)
    many = sweep.estimates.loc[sweep.estimates.index.repeat(500)].reset_index(drop=True)
    many["job_id"] = np.arange(len(many))
    for shown in (traces.choose(many), traces.choose(many[many["status"] != "ok"])):
        assert len(shown) == traces.PANELS
        assert shown["job_id"].is_monotonic_increasing
    assert (traces.choose(many)["status"] != "ok").sum() == traces.PANELS // 2


def test_an_outline_keeps_what_stands_out() -> None:
    draws = np.random.default_rng(0).normal(size=12_345)
    draws[[7, 6_000]] = 50, -50
    at, values = traces.outline(draws)
    assert len(values) <= 2 * traces.BINS
    assert (values.max(), values.min()) == (50, -50)
    assert values == pytest.approx(draws[at.astype(int)])


def test_each_sampler_has_a_colour_of_its_own() -> None:
    names = [name for name in vars(SamplerConfig()) if name != "names"]
    assert len({style.colour(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (1200.0, "1200"), (0.5, "0.5"), (1e-5, "$10^{-5}$"), (3e5, r"$3\times10^{5}$")]
)
def test_a_number_is_written_short(value: float, text: str) -> None:
    assert style.number(value) == text


def test_values_beside_powers_of_ten_are_powers_too() -> None:
    axis = Axis("x", (100.0, 1e4, 1e5))
    assert [axis.show(level) for level in axis.levels] == ["100", "$10^{4}$", "$10^{5}$"]


def test_a_sweep_without_a_value_or_with_one_job_has_figures(tmp_path: Path) -> None:
    for jobs, estimate in (([{"seed": 0}], None), ([{"seed": 0}], 3.0)):
        found = made(tmp_path / str(estimate), jobs, lambda job, estimate=estimate: {"nuts": estimate})
        for module in (along, samplers, known, heat, diagnostics, traces):
            for figure in drawn(module, found).values():
                figure.draw_without_rendering()  # a warning, as of a layout that does not fit, is an error


def test_over_training_every_estimate_is_above_the_loss_at_its_step(tmp_path: Path) -> None:
    steps = (0, 10, 1000)

    def estimates(job: Mapping[str, Any]) -> dict[str, Any]:
        early = job["checkpoint"] == 0
        mean = None if early and job["seed"] else float(job["checkpoint"]) / 100 - early
        status = "diverged" if mean is None else "negative" if early else "ok"
        return {"nuts": {"llc_mean": mean, "status": status, "loss_star": 2.0 - job["checkpoint"] / 1000}}

    sweep = made(tmp_path, grid(checkpoint=steps, seed=[0, 1]), estimates)
    (name, figure), *others = training.figures(sweep)
    assert (name, others) == ("checkpoint", [])
    above, below = figure.axes
    assert finite(points(above, inside=True)) == 5
    assert finite(points(above, inside=False)) == 1  # the one without a value
    losses = [line for line in below.lines if line.get_marker() == "."]
    assert [list(line.get_ydata()) for line in losses] == [[2.0, 1.99, 1.0]] * 2
    assert list(losses[0].get_xdata()) == pytest.approx([0.0, np.log10(11), np.log10(1001)])
    assert [label.get_text() for label in below.get_xticklabels()] == ["0", "10", "1000"]


def test_no_figure_over_training_where_no_checkpoints_are_swept(sweep: Tables) -> None:
    assert not drawn(training, sweep)
