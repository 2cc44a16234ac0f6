"""What the project says of itself stays true."""

import tomllib
from pathlib import Path

import yaml

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
