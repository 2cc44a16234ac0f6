"""How near estimates are to what is known of them."""

import pandas as pd
import pytest

from llc.tables.accuracy import accuracy


def table(*rows: tuple[int, str, float | None, float, str, float | None]) -> pd.DataFrame:
    columns = ["job_id", "sampler", "llc_mean", "llc_mcse", "status", "llc_true"]
    return pd.DataFrame(rows, columns=columns).assign(llc_exact=None)


def test_errors_order_and_calibration_are_those_by_hand() -> None:
    found = accuracy(
        table(
            (0, "nuts", 11.0, 0.3, "ok", 10.0),
            (1, "nuts", 19.0, 0.2, "ok", 20.0),
            (2, "nuts", 18.0, 9.9, "not_converged", 30.0),
            (3, "nuts", None, 0.0, "diverged", 40.0),
        )
    )
    (row,) = found.to_dict("records")
    assert (row["sampler"], row["reference"], row["n"], row["n_ok"]) == ("nuts", "llc_true", 3, 2)
    errors = [0.1, -0.05, -0.4]
    assert row["mean_error"] == pytest.approx(sum(errors) / 3)
    assert row["sd_error"] == pytest.approx(pd.Series(errors).std())
    assert row["mean_abs_error"] == pytest.approx(0.55 / 3)
    assert row["order"] == pytest.approx(2 / 3)  # 19 and 18 are the wrong way round
    assert row["ok_within"] == 0.5  # 1 is within 4 × 0.3 and not within 4 × 0.2
    assert (row["n_metastable"], row["metastable_within"]) == (0, None)


def test_estimates_that_are_metastable_are_counted_by_themselves() -> None:
    found = accuracy(table((0, "sgld", 11.0, 0.3, "ok", 10.0), (1, "sgld", 19.0, 0.2, "metastable", 20.0)))
    (row,) = found.to_dict("records")
    assert (row["n_ok"], row["ok_within"], row["n_metastable"], row["metastable_within"]) == (1, 1.0, 1, 0.0)


def test_gibbs_is_a_reference_with_an_error_of_its_own() -> None:
    found = accuracy(
        table(
            (0, "gibbs", 10.0, 0.2, "ok", None),
            (0, "sgld", 11.0, 0.2, "ok", None),
            (1, "gibbs", 20.0, 0.2, "ok", None),
            (1, "sgld", 22.0, 0.2, "ok", None),
        )
    )
    (row,) = found.to_dict("records")
    assert (row["sampler"], row["reference"], row["order"]) == ("sgld", "gibbs", 1.0)
    assert row["mean_error"] == pytest.approx(0.1)
    assert row["ok_within"] == 0.5  # 1 is within 4 × 0.28, 2 is not


def test_nothing_known_is_an_empty_table() -> None:
    assert accuracy(table((0, "sgld", 1.0, 0.1, "ok", None))).empty
    assert accuracy(pd.DataFrame(columns=["job_id", "sampler"])).empty


def test_estimates_without_an_error_and_a_gibbs_that_has_not_converged_are_no_evidence() -> None:
    found = accuracy(
        table((0, "nuts", 1.0, None, "not_converged", 1.1), (0, "gibbs", 9.0, None, "not_converged", None))
    )
    (row,) = found.to_dict("records")
    assert (row["sampler"], row["reference"], row["n_ok"]) == ("nuts", "llc_true", 0)
