"""Which edits of the library change a stage's code, and which do not."""

import re
import shutil
from functools import cache
from pathlib import Path

import pytest

from llc import code
from llc.config import ConfigError

SAMPLERS = ["nuts", "sgld"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the library that ``llc.code`` looks at."""
    copy = tmp_path / "llc"
    shutil.copytree(code.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "PACKAGE", copy)
    forget()
    yield copy
    forget()


def forget() -> None:
    code._modules.cache_clear()


def now() -> dict[str, dict[str, str]]:
    forget()
    return {"target": code.modules("target"), "run": code.modules("run", SAMPLERS)}


@cache
def unedited() -> dict[str, dict[str, str]]:
    return now()


def test_a_stage_depends_on_what_it_imports() -> None:
    target, run = (set(unedited()[stage]) for stage in ("target", "run"))
    assert (
        {
            "llc/targets/target.py",
            "llc/targets/data.py",
            "llc/targets/models.py",
            "llc/loss/likelihood.py",
            "llc/posterior.py",
            "llc/seeds.py",
        }
        < target
        < run
    )
    assert {"llc/job.py", "llc/estimates/estimator.py", "llc/samplers/sgld.py", "llc/samplers/nuts.py"} < run - target
    assert "llc/samplers/hmc.py" in run  # which nuts imports
    assert "llc/samplers/mclmc.py" not in run


def test_nothing_of_planning_and_tables_counts() -> None:
    counted = unedited()["run"]
    assert not {path.split("/")[1] for path in counted} & {"config", "sweeps", "planning", "tables", "plots", "page"}
    assert not counted.keys() & {
        f"llc/{name}.py" for name in ("artifacts", "files", "code", "jobs/compose", "jobs/ids")
    }


@pytest.mark.parametrize(
    ("path", "old", "new", "target", "run"),
    [
        ("posterior.py", "config.beta0 / math.log(n)", "2 * config.beta0 / math.log(n)", True, True),
        ("targets/training.py", "CHECK_EVERY = 50", "CHECK_EVERY = 60", True, True),
        ("estimates/estimator.py", "ROUNDING = 8", "ROUNDING = 9", False, True),
        ("samplers/sgld.py", "import jax\n", "import jax\nX = 1\n", False, True),
        ("samplers/trajectories.py", "LONGEST_JITTER = 2.0", "LONGEST_JITTER = 2.1", False, True),
        ("samplers/mclmc.py", "GRADIENTS_PER_STEP = 2", "GRADIENTS_PER_STEP = 3", False, False),
        ("tables/gathering.py", "SHOWN = 10", "SHOWN = 11", False, False),
        ("__init__.py", '__version__ = "', '__version__ = "9', False, False),
    ],
)  # fmt: skip
def test_an_edit_in_substance_changes_the_stages_that_use_it(
    package: Path, path: str, old: str, new: str, target: bool, run: bool
) -> None:
    before = unedited()
    file = package / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    after = now()
    for stage, changes in {"target": target, "run": run}.items():
        assert code.changed(before[stage], after[stage]) == ([f"llc/{path}"] if changes else [])
        assert (code.digest(before[stage]) != code.digest(after[stage])) == changes


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text + "\n\n# a comment\n",
        lambda text: text.replace('"""', '"""Otherwise: ', 1),
        lambda text: text.replace(",\n", ",\n\n"),
        lambda text: re.sub(r'"""([A-Z])', r'"""Otherwise: \1', text),
    ],
    ids=["comment", "docstring of the module", "layout", "docstrings"],
)  # fmt: skip
def test_comments_layout_and_docstrings_do_not_count(package: Path, edit: object) -> None:
    before = unedited()
    for path in ("posterior.py", "targets/target.py", "samplers/sgld.py", "job.py"):
        file = package / path
        edited = edit(file.read_text())  # type: ignore[operator]
        assert edited != file.read_text()
        file.write_text(edited)
    assert now() == before


def test_a_module_counts_once_something_imports_it(package: Path) -> None:
    before = unedited()
    (package / "extra.py").write_text("FACTOR = 2\n")
    assert now() == before
    models = package / "targets/models.py"
    models.write_text(models.read_text() + "\n\ndef _later() -> None:\n    from llc.extra import FACTOR\n")
    assert code.changed(before["target"], now()["target"]) == ["llc/extra.py", "llc/targets/models.py"]
    models.write_text(models.read_text().replace("from llc.extra import FACTOR", "from .. import extra"))
    assert "llc/extra.py" in now()["target"]


def test_a_module_that_is_not_python_is_an_error_that_names_it(package: Path) -> None:
    (package / "targets/models.py").write_text("def half(")
    with pytest.raises(ConfigError, match=r"models\.py, line 1: .*; mend it"):
        now()


def test_an_import_counts_wherever_it_stands(tmp_path: Path) -> None:
    source = """
try:
    import a
except ImportError:
    import b
match x:
    case 1:
        with y:
            import c
def f():
    if z:
        import d
"""
    (tmp_path / "m.py").write_text(source)
    assert code.imports(tmp_path / "m.py", "m") == {"a", "b", "c", "d"}
