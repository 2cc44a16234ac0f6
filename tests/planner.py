"""Has Snakemake imported, and forks for each dry run: two seconds less each.

``python planner.py`` reads a JSON object a line, runs ``snakemake`` with its ``arguments`` in its
``folder`` and writes the exit code. A process of its own, as one with threads must not fork.
"""

import json
import os
import sys


def main() -> None:
    """Serve until the input ends."""
    from snakemake.cli import main as snakemake

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            os.chdir(request["folder"])
            sys.path[0] = request["folder"]  # that folder's llc, as PYTHONPATH gives it to its jobs
            os.environ.update(request["env"])
            for stream, name in (sys.stdout, "stdout"), (sys.stderr, "stderr"):
                os.dup2(os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream.fileno())
            sys.argv = ["snakemake", *request["arguments"]]
            snakemake()
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
