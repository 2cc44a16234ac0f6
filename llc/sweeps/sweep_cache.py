"""Expanded sweeps, kept with what they were made from. Without JAX or Hydra.

Composing 10,000 jobs takes seconds, and Snakemake reads its Snakefile anew in every cluster
job. A kept plan is only ever a saving: whatever is wrong with the file, it is made again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from llc import code
from llc.files import write_text
from llc.user import importable

# ${oc.env:…}, ${now:…}, hydra.searchpath: what they give is in no file of conf/
OUTSIDE = re.compile(rb"\$\{[^}]*:|searchpath")


class Fingerprint(NamedTuple):
    """Digests of what a sweep's jobs depend on. None: on more than files, so they are not kept."""

    base: str | None  # all but the sweep's points
    points: str  # of which there may be more or fewer than before


class Cached(NamedTuple):
    """What was kept: jobs as plain data, and whether they are all that the sweep has now."""

    jobs: list[dict[str, Any]]
    current: bool


def fingerprint(file: Path, conf: Path, cwd: Path) -> Fingerprint:
    """Return what the jobs of a sweep file are made from, as it is now."""
    # Hydra follows links to folders, as rglob does not.
    folders = (Path(folder) / name for folder, _, names in os.walk(conf, followlinks=True) for name in names)
    presets = [path for path in sorted(folders) if path.is_file() and path.parent != conf / "sweep"]
    sweep = file.read_bytes()
    contents = {str(path): path.read_bytes() for path in [*presets, *_named(file, sorted(conf.glob("sweep/*.yaml")))]}
    if any(OUTSIDE.search(content) for content in [*contents.values(), sweep]):
        return Fingerprint(None, "")
    modules = sorted({*code.reached(["llc.sweeps.sweep"], {"llc"}), *(code.PACKAGE / "config").glob("*.py")})
    contents |= {str(path.relative_to(code.PACKAGE)): path.read_bytes() for path in modules}
    about = [platform.python_version(), version("hydra-core"), version("omegaconf"), cwd, conf, file, _rest(file)]
    about.append(os.environ.get("PYTHONPATH"))  # where modules of users are looked for, too
    digest = hashlib.sha256(repr(about).encode())
    for name, content in contents.items():
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    return Fingerprint(digest.hexdigest(), hashlib.sha256(sweep).hexdigest())


def _named(file: Path, sweeps: list[Path]) -> list[Path]:
    """Return the other sweep files that one may be built on, for it has their names somewhere, and so on."""
    found, new = [file], [file]
    while new:
        text = b"".join(path.read_bytes() for path in new)
        new = [path for path in sweeps if path not in found and path.stem.encode() in text]
        found += new
    return sorted(found[1:])


def _rest(file: Path) -> str | bytes:
    """Return the text of a sweep file beside its points; a CSV has no other."""
    if file.suffix == ".csv":
        return ""
    try:
        text = file.read_text(encoding="utf-8")
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        for name in ("hydra", "sweeper", "params"):
            node = next(value for key, value in node.value if key.value == name)
    except (yaml.YAMLError, UnicodeDecodeError, StopIteration, AttributeError, TypeError, ValueError):
        return file.read_bytes()  # a mistake, for which there will be an error
    start, end = node.start_mark.index, node.end_mark.index
    # What is anchored there may be said elsewhere too.
    return text if "&" in text[start:end] else text[:start] + text[end:]


def read(path: Path, now: Fingerprint) -> Cached:
    """Return the jobs that were kept and still mean the same."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        jobs = found["jobs"]
        whole = found["sha256"] == _digest(jobs) and found["files"] == _files(jobs)
        if now.base is None or not whole or found["base"] != now.base:
            return Cached([], False)
        return Cached(jobs, found["points"] == now.points)
    except (OSError, ValueError, KeyError, TypeError):
        return Cached([], False)


def write(path: Path, now: Fingerprint, jobs: list[dict[str, Any]], since_ns: int) -> None:
    """Keep the jobs of a sweep, unless a file or folder of theirs has changed ``since_ns``, while they were made."""
    if now.base is None or any(_changed_ns(named) >= since_ns for named in _paths(jobs)):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {**now._asdict(), "files": _files(jobs), "sha256": _digest(jobs), "jobs": jobs}
    write_text(path, json.dumps(kept, separators=(",", ":")))


def _digest(jobs: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(jobs, separators=(",", ":")).encode()).hexdigest()


def _files(jobs: list[dict[str, Any]]) -> dict[str, list[Any] | None]:
    """Return what a change of a file that the ids of the jobs depend on is known by.

    Of a folder that modules are looked for in it is their names: one that is new may be imported in another's place.
    """
    found: dict[str, list[Any] | None] = {}
    for path in _paths(jobs):
        try:
            stat = Path(path).stat()
            file = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]
            found[path] = importable.modules(Path(path)) if Path(path).is_dir() else file
        except OSError:
            found[path] = None
    return found


def _paths(jobs: list[dict[str, Any]]) -> list[str]:
    return sorted({path for job in jobs for path in [*job["files"], *job["folders"]]})


def _changed_ns(path: str) -> int | float:
    """Return when a file or folder was last changed or moved there, which no copying sets back."""
    try:
        return Path(path).stat().st_ctime_ns
    except OSError:
        return math.inf
