"""What the project says of itself stays true."""

import re
import tomllib
from pathlib import Path

import yaml

from llc import code

ROOT = Path(__file__).resolve().parents[1]
NOT_FOR_JOBS = ("snakemake", "pygments")


def test_the_environment_of_a_job_has_the_versions_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    *_, pip = yaml.safe_load((ROOT / "envs/llc.yaml").read_text())["dependencies"]
    assert pip["pip"] == [line for line in project["dependencies"] if not line.startswith(NOT_FOR_JOBS)]


def test_the_readme_says_only_what_exists() -> None:
    text = (ROOT / "README.md").read_text()
    named = {word.strip("`,.():;") for word in text.split() if word.startswith("`")}
    paths = {name for name in named if name.startswith(("conf/", "llc/", "workflow/", "profiles/", "envs/", "tests/"))}
    assert paths
    assert not [name for name in paths if not any(mark in name for mark in "<*N") and not (ROOT / name).exists()]


def test_a_folder_of_the_library_imports_those_above_it_in_the_readme_alone() -> None:
    table = (ROOT / "README.md").read_text().split("| of `llc/` | |")[1].split("\n\n")[0]
    names = [re.findall(r"`([a-z_]+)(?:/|\.py)`", cell) for cell in re.findall(r"^\| (`.*?) \|", table, re.M)]
    place = {name: n for n, of_row in enumerate(names) for name in of_row}
    assert {path.parent.name for path in ROOT.glob("llc/*/__init__.py")} <= set(place)
    for path in ROOT.glob("llc/**/*.py"):
        module = path.relative_to(ROOT).with_suffix("").parts
        used = {name.split(".")[1] for name in code.imports(path, ".".join(module)) if name.startswith("llc.")}
        if module[1] in place:
            assert not [name for name in used if place.get(name, 0) > place[module[1]]], path
