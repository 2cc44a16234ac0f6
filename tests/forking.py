"""Runs ``snakemake`` or ``train.py`` in a process that has imported what they import: seconds less each.

``python forking.py snakemake`` reads a JSON object a line, runs the program with its ``arguments`` in
its ``folder`` and writes the exit code. Each is a process of its own, forked from one without threads.
"""

import atexit
import importlib
import json
import os
import runpy
import subprocess
import sys
import warnings
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
# What they import, some of it when they come to need it; for Snakemake nothing of llc, which is the folder's own.
IMPORTED = {
    "train.py": ["hydra.main", "llc.commandline", "llc.process", "llc.job", "llc.sampling"],
    "snakemake": ["snakemake.cli", "snakemake.report.html_reporter", "hydra.compose", "numpy", "smart_open", "yte"],
}


def run(
    program: str, arguments: Iterable[str], folder: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run ``snakemake`` or ``train.py`` in a folder, as ``subprocess.run`` would."""
    server = _server(program)
    assert server.stdin is not None
    assert server.stdout is not None
    arguments = list(arguments)
    with TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        request = {
            "arguments": arguments,
            "folder": str(folder),
            "env": dict(env),
            "files": [os.devnull, str(out), str(err)],
        }
        print(json.dumps(request), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess([program, *arguments], code, out.read_text(), err.read_text())


@cache
def _server(program: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, program]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(server.communicate)  # its input ends, and so does it
    return server


def _serve(program: str) -> None:
    if program == "train.py":
        sys.path.insert(0, str(ROOT))
    for module in IMPORTED[program]:
        importlib.import_module(module)
    warnings.simplefilter("ignore")  # JAX's of forks: it has no threads yet
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            warnings.resetwarnings()
            os.chdir(request["folder"])
            os.environ.update(request["env"])
            for fd, name in enumerate(request["files"]):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), fd)
            if program == "train.py":
                import jax

                jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])  # read once
                sys.argv = [str(ROOT / program), *request["arguments"]]
                runpy.run_path(sys.argv[0], run_name="__main__")
            else:
                sys.path[0] = request["folder"]  # that folder's llc, as PYTHONPATH gives it to its jobs
                sys.argv = ["snakemake", *request["arguments"]]
                sys.modules["snakemake.cli"].main()
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
