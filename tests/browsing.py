"""A page in the machine's Chromium, which has no network."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


def chromium() -> str:
    """Return the browser's path. Without one a test is skipped, and says so; in CI it fails."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium: install Debian's package chromium, or the page is not tested")
    return found


@contextmanager
def opened(file: Path) -> Iterator[Page]:
    """Open a file offline; fail if it asks for anything else, or if its scripts raise an error."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_context(offline=True, viewport={"width": 1400, "height": 1000}).new_page()
        requests: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(file.as_uri())
        yield page
        browser.close()
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert errors == []
