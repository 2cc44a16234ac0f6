"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from llc.files import whole, write_json, write_text


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")

    def write_half() -> None:
        with whole(tmp_path / "a.txt") as path:
            path.write_text("ne")
            raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        write_half()
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_json_that_is_not_strict_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())
