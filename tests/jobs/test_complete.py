"""What the values of a job imply is filled in, and held against its data."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from composing import CLASSES, job

from llc.config import ConfigError
from llc.jobs.widths import draw_widths

# --------------------------------------------------------------- what concerns several sections


@pytest.mark.parametrize("y", [CLASSES, np.ones((5, 3))])
def test_a_file_brings_its_own_dimensions(y: np.ndarray, tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((5, 7)), y=y)
    model = job("data=npz", f"data.path={tmp_path}/my.npz").model
    assert (model.d_in, model.d_out) == (7, 3)


def test_digits_bring_their_own_dimensions() -> None:
    model = job("data=digits").model
    assert (model.d_in, model.d_out) == (64, 10)


def test_explicit_widths_count_the_parameters_of_the_datas_dimensions() -> None:
    assert job("data=digits", "model.widths=[8]").model.target_params == 64 * 8 + 8 + 8 * 10 + 10


def test_a_deep_linear_network_counts_its_parameters() -> None:
    assert job("model=dln", "model.widths=[4,5,6]", "model.rank=2").model.target_params == 4 * 5 + 5 * 6


def test_a_deep_linear_network_of_other_dimensions_than_the_data_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.widths=\[20, 20, 20\]: must be from \(64, 10\)"):
        job("model=dln", "data=digits")


def test_a_deep_linear_network_of_the_datas_dimensions_is_taken() -> None:
    assert job("model=dln", "data=digits", "model.widths=[64,5,10]").model.widths == [64, 5, 10]


@pytest.mark.parametrize(("preset", "layers", "width"), [("dln_1k", (2, 5), (5, 50)), ("dln_10k", (2, 10), (5, 100))])
def test_widths_are_drawn_by_the_seed_within_their_ends(
    preset: str, layers: tuple[int, int], width: tuple[int, int]
) -> None:
    models = [job(f"model={preset}", f"seed={seed}").model for seed in (3, 4)]
    drawn = [draw_widths(models[0], seed) for seed in range(35)]
    assert [model.widths for model in models] == drawn[3:5]
    assert drawn[3] != drawn[4]
    assert {len(widths) - 1 for widths in drawn} == set(range(*layers))
    assert all(width[0] <= w < width[1] for widths in drawn for w in widths)
    assert all(model.target_params == sum(a * b for a, b in itertools.pairwise(model.widths)) > 0 for model in models)


def test_widths_that_are_given_are_not_drawn() -> None:
    assert job("model=dln_1k", "model.widths=[3,2,4]").model.widths == [3, 2, 4]


def test_a_rank_that_the_drawn_widths_do_not_have_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.rank=5: must be in 0 … min\(widths\)=4"):
        job("model=dln", "model.widths=null", "model.layers=[2,3]", "model.width=[4,5]")


def test_linear_regression_takes_the_inputs_of_a_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((5, 7)), y=np.ones(5))
    model = job("data=npz", f"data.path={tmp_path}/my.npz", "model=quadratic").model
    assert (model.d_in, model.target_params) == (7, 7)


@pytest.mark.parametrize("model", ["quadratic", "crossing"])
def test_models_of_one_output_refuse_classes(model: str) -> None:
    with pytest.raises(ConfigError, match=rf"model\.kind='{model}': must be another with data\.kind=digits"):
        job(f"model={model}", "data=digits")


def test_a_crossing_refuses_more_than_one_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((5, 2)), y=np.ones(5))
    with pytest.raises(ConfigError, match=r"model\.kind='crossing': .* one real output of one input"):
        job("data=npz", f"data.path={tmp_path}/my.npz", "model=crossing")


def test_weights_of_a_teacher_need_a_teacher() -> None:
    with pytest.raises(ConfigError, match=r"training\.w_star='teacher': must be trained or file with digits data"):
        job("data=digits", "training.w_star=teacher")


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ("model=small", "model.kind=mlp is not one"),
        ("model=small model.activation=identity", "model.kind=mlp is not one"),  # it has biases
        ("model=dln data=digits model.widths=[64,10]", "the labels of data.kind=digits are classes"),
    ],
)
def test_gibbs_draws_from_deep_linear_networks_with_real_targets_only(overrides: str, reason: str) -> None:
    with pytest.raises(ConfigError) as error:
        job(*overrides.split(), "sampler.names=[sgld,gibbs]")
    must = f"without gibbs: it draws from deep linear networks with real targets only; {reason}"
    assert str(error.value) == f"sampler.names=['sgld', 'gibbs']: must be {must}"


def on_a_file(folder: Path, y: np.ndarray) -> list[str]:
    np.savez(folder / "my.npz", x=np.ones((5, 7)), y=y)
    return ["data=npz", f"data.path={folder}/my.npz", "model=dln", "model.widths=[7,3]", "model.rank=1"]


def test_gibbs_takes_a_file_with_real_targets(tmp_path: Path) -> None:
    assert job(*on_a_file(tmp_path, np.ones((5, 3))), "sampler.names=[gibbs]").sampler.names == ["gibbs"]


def test_gibbs_refuses_a_file_with_classes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^sampler\.names=\['gibbs'\]: .*the labels of data\.kind=npz are classes"):
        job(*on_a_file(tmp_path, CLASSES), "sampler.names=[gibbs]")


def test_gibbs_needs_a_localised_posterior() -> None:
    assert job("model=dln", "posterior.gamma=0", "sampler.names=[nuts]").posterior.gamma == 0
    with pytest.raises(ConfigError, match=r"^posterior\.gamma=0\.0: must be above 0 with gibbs"):
        job("model=dln", "posterior.gamma=0", "sampler.names=[gibbs]")


def test_a_file_without_a_path_is_refused_by_key() -> None:
    with pytest.raises(ConfigError, match=r"^data\.path: .*missing"):
        job("data=npz")


@pytest.mark.parametrize("n_data", [1, 6])
def test_more_rows_than_the_file_has_or_too_few_are_refused(n_data: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((5, 7)), y=CLASSES)
    with pytest.raises(ConfigError, match=rf"data\.n_data={n_data}: must be between 2 and the file's 5 rows"):
        job("data=npz", f"data.path={tmp_path}/my.npz", f"data.n_data={n_data}")


def test_all_rows_of_a_file_are_used_by_default(tmp_path: Path) -> None:
    np.savez(tmp_path / "my.npz", x=np.ones((5, 7)), y=CLASSES)
    assert job("data=npz", f"data.path={tmp_path}/my.npz").data.n_data == 5
