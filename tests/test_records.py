"""What a run wrote is read back bit for bit, or refused by name."""

import json
import math
from pathlib import Path

import pytest
from fabricating import DRAWS, write_run

from llc import records
from llc.records import BadRun

FILES = ["metrics_summary.csv", "config.yaml", "traces.nc"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "results/runs/0123456789ab"
    write_run(folder, folder.name, {"nuts": math.pi * 1e-7, "sgld": None})
    return folder


def test_numbers_come_back_as_they_were_written(run: Path) -> None:
    found = records.read(run).estimates
    assert list(found) == ["nuts", "sgld"]
    assert found["nuts"]["llc_mean"] == math.pi * 1e-7
    assert (found["nuts"]["n_draws"], type(found["nuts"]["n_draws"])) == (DRAWS, int)
    assert (found["sgld"]["llc_mean"], found["sgld"]["status"]) == (None, "diverged")


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["gone", "empty", "half"])
def test_a_file_that_is_not_whole_is_refused_by_name_with_the_remedy(run: Path, name: str, damage: str) -> None:
    file = run / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "half" else b"")
    with pytest.raises(BadRun, match=f"{name}: (missing|cut short).*; delete .*0123456789ab and run the sweep again"):
        records.read(run)


@pytest.mark.parametrize("name", FILES)
def test_an_edit_of_the_same_length_is_seen(run: Path, name: str) -> None:
    file = run / name
    content = file.read_bytes()
    file.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(BadRun, match=f"{name}: edited since the run wrote it"):
        records.read(run)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"run_id": 3}', "\x00"])
def test_a_record_that_is_none_is_refused_by_name(run: Path, text: str) -> None:
    (run / "run_info.json").write_text(text)
    with pytest.raises(BadRun, match=r"run_info.json: not readable .*delete .* and run the sweep again"):
        records.read(run)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("code", []),
        ("files", {}),
        ("files", {key: {"bytes": "many", "sha256": "0"} for key in FILES}),
        ("files", {key: {"bytes": 1, "sha256": None} for key in FILES}),
        ("target", {"n_params": 51, "stopped": "polished"}),
        ("threads", "one"),
        ("timings_s", None),
        ("timings_s", {"sample": None}),
    ],
)
def test_a_record_of_other_types_is_refused_by_name(run: Path, key: str, value: object) -> None:
    about = json.loads((run / "run_info.json").read_text())
    (run / "run_info.json").write_text(json.dumps({**about, key: value}))
    with pytest.raises(BadRun, match=r"run_info.json: damaged \("):
        records.read(run)
