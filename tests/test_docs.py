"""The pages of docs/: the reference is the schema's, links lead somewhere, the limits told are those held to."""

import re
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from pages import run_blocks

from llc import reference
from llc.config.job import PosteriorConfig
from llc.config.samplers import SgldConfig
from llc.estimates import limits
from llc.exact import expected

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_reference_is_that_of_the_schema() -> None:
    made = "`uv run python -m llc.reference > docs/configuration.md` makes it"
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == reference.page(), made


@pytest.mark.parametrize(("config", "prefix"), [(SgldConfig, "sampler.sgld."), (PosteriorConfig, "posterior.")])
def test_the_reference_has_every_key_of_a_section(config: type, prefix: str) -> None:
    page = reference.page()
    for key in fields(config):
        assert page.count(f"| `{prefix}{key.name}` |") == 1
    assert "| `posterior.gamma` | `1.0` | float | γ, a precision: " in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (page.parent / link).exists(), link
    for path in re.findall(r"`((?:docs|llc|examples|benchmarks|workflow|tests)/[\w/.-]+\.\w+)`", text):
        assert (ROOT / path).exists(), path


def test_the_page_of_the_verdict_has_the_limits_that_are_held_to() -> None:
    page = (ROOT / "docs/verdict.md").read_text(encoding="utf-8")
    for name, value in vars(limits).items():
        if name.isupper():
            assert re.search(rf"\| `{name}` \| {value:g} \|", page), name


def test_the_page_on_devinterp_estimates_what_it_says() -> None:
    found = run_blocks("from-devinterp.md")
    x = found["x"]
    exact = expected.quadratic(
        2 * np.linalg.eigvalsh(x.T @ x / len(x)), len(x) / np.log(len(x)), 1.0
    )  # no ½ in its loss
    for name in ("by_hand", "by_rule"):
        estimate = found[name].estimate
        assert estimate.status == "ok"
        assert abs(estimate.llc_mean - exact) < 4 * estimate.llc_mcse
