"""A user's own code: found by its import path without being imported, and what of it counts."""

import subprocess
import sys
from pathlib import Path

import pytest
from composing import CONF, job

from llc.config import ConfigError, Job
from llc.config.job import OwnConfig
from llc.jobs.ids import run_id, target_id
from llc.user import importable, own

ROOT = CONF.parent

MODULES = {
    "mine/__init__.py": "raise RuntimeError('imported while planning')\n",
    "mine/nets.py": "import jax\nfrom .parts import width\nfrom mine import more\nimport beside\ndef net(): ...\n",
    "mine/parts.py": "width = 3\n",
    "mine/more.py": "import os, numpy.linalg\n",
    "mine/unused.py": "width = 3\n",
    "beside.py": "import llc.exact.truth\n",
    "loose/deep/module.py": "if True:\n    from mine.parts import width as thing\n",
}
COUNTED = {"mine/__init__.py", "mine/nets.py", "mine/parts.py", "mine/more.py", "beside.py"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def find(path: str, folder: Path) -> own.Found:
    for cached in (own._found, importable.find_module):
        cached.cache_clear()
    return own.find(Job(own=OwnConfig(str(folder))), {"model._target_": path})


def test_what_counts_is_all_that_it_imports_and_is_not_installed(folder: Path) -> None:
    found = find("mine.nets.net", folder)
    assert {Path(file).relative_to(folder).as_posix() for file in found.files} == COUNTED
    loose = find("loose.deep.module.thing", folder)  # folders without __init__.py
    assert {Path(file).name for file in loose.files} == {"module.py", "parts.py", "__init__.py"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_an_edit_counts_where_the_module_does_and_a_comment_nowhere(folder: Path, name: str) -> None:
    before = find("mine.nets.net", folder).sha256
    file = folder / name
    file.write_text('"""What it is."""\n# a comment\n' + file.read_text())
    assert find("mine.nets.net", folder).sha256 == before
    file.write_text(file.read_text() + "EDITED = 1\n")
    assert (find("mine.nets.net", folder).sha256 != before) == (name in COUNTED)


def test_a_digest_is_of_the_code_and_not_of_where_it_lies(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for part in ("mine", "beside.py"):
        (folder / part).rename(other / part)
    moved = find("mine.nets.net", other).sha256
    for part in ("mine", "beside.py"):
        (other / part).rename(folder / part)
    assert find("mine.nets.net", folder).sha256 == moved


def test_a_function_of_an_installed_package_counts_by_its_module_alone() -> None:
    (file,) = find("optax.softmax_cross_entropy", ROOT).files
    assert file.endswith("optax/__init__.py")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("net", "must be an import path, module.name"),
        ("mine.1net", "must be an import path"),
        ("yours.net", "there is no module yours in .*own.folder says where yours is"),
        ("mine.nets.nett", r"nets.py defines no nett \(did you mean net\?\)"),
        ("mine.nut.net", r"mine/__init__.py defines no nut"),
        ("loose.shallow.net", "there is no module shallow in loose"),
        ("broken.net", "broken.py.*mend it"),
    ],
)
def test_what_cannot_be_imported_is_an_error_that_names_key_and_fix(folder: Path, path: str, message: str) -> None:
    (folder / "broken.py").write_text("def net(:")
    with pytest.raises(ConfigError, match=message):
        find(path, folder)
    if path != "broken.net":
        with pytest.raises(ConfigError, match=rf"model\._target_='{path}'"):
            job("data=digits", "model=own", f"model._target_={path}", cwd=folder)


def test_the_digest_counts_in_run_and_target_and_is_checked_if_given(folder: Path) -> None:
    of = ["data=digits", "model=own", "model._target_=mine.nets.net"]
    find("mine.nets.net", folder)
    before = job(*of, cwd=folder)
    assert before.own.folder == str(folder)
    given = [f"own.folder={folder}", f"own.sha256={before.own.sha256}"]
    assert run_id(job(*of, *given, cwd=folder.parent)) == run_id(before)
    (folder / "beside.py").write_text("EDITED = 1\n")
    find("mine.nets.net", folder)
    after = job(*of, cwd=folder)
    assert run_id(after) != run_id(before)
    assert target_id(after) != target_id(before)
    with pytest.raises(ConfigError, match=r"own\.sha256=.*: must be the digest of .*beside\.py.*, which is"):
        job(*of, *given, cwd=folder)


def test_where_nothing_is_ones_own_nothing_of_it_counts() -> None:
    assert run_id(job("own.folder=/nowhere", "own.sha256=0")) == run_id(job())


def test_planning_imports_neither_the_users_code_nor_jax(folder: Path) -> None:
    """The package raises when it is imported; and an edit of it is seen by the kept plan."""
    sweep = "data,data._target_,model,model.d_in,loss\nown,mine.nets.net,quadratic,2,mine.more.os\n"
    conf = folder / "conf"
    script = (
        "import shutil, sys; from pathlib import Path; from llc.sweeps.sweep import load;"
        f"shutil.copytree({str(CONF)!r}, 'conf', dirs_exist_ok=True);"
        f"Path('conf/sweep/s.csv').write_text({sweep!r});"
        "plan = lambda: load('s', Path('conf'), Path.cwd(), Path('kept'))[0];"
        "ids = [plan().run_id, plan().run_id];"
        "Path('beside.py').write_text('EDITED = 1');"
        "from llc import code; from llc.user import importable, own;"
        "[c.cache_clear() for c in (own._found, importable.find_module)];"
        "ids.append(plan().run_id);"
        "print(ids[0] == ids[1] != ids[2], plan().target_params, *{'jax', 'mine'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "2"]
    assert conf.is_dir()


def test_a_module_of_the_same_name_that_is_imported_already_is_not_taken_for_it(folder: Path) -> None:
    (folder / "pages.py").write_text("def net(): ...")  # tests/pages.py is another one
    import pages  # noqa: F401

    with pytest.raises(ImportError, match=r"Python imports pages from .*tests/pages\.py, not .*; rename yours"):
        own.load("model._target_", "pages.net", folder)


def test_a_function_is_offered_what_it_takes_by_name() -> None:
    assert own.call("data._target_", "examples.robust.line", ROOT, {"n": 7}, seed=3)[0].shape == (7, 2)
    one, other = (own.call("data._target_", "examples.robust.line", ROOT, {"seed": 3}, seed=s)[1] for s in (1, 2))
    assert (one == other).all()  # as data.args has it
    with pytest.raises(TypeError, match=r"examples\.robust\.SCALE'.*must be a function or a class, got float"):
        own.call("data._target_", "examples.robust.SCALE", ROOT, {})
