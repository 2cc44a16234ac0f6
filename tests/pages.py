"""The pages in docs/: their Python is run, block after block, as a reader would."""

import re
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_blocks(page: str) -> dict[str, Any]:
    """Run the blocks of a page in one namespace, line numbers as in the page, and return it."""
    file = DOCS / page
    text = file.read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": page}
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(file), "exec"), namespace)
    return namespace
