"""Run Python with libraries that this project does not use. uv makes the environment and keeps it in its cache."""

import os
import shutil
import subprocess
import sys

from tests.benchmarks.harness import PROJECT

INSTALL_SECONDS = 900


class Missing(Exception):
    """The libraries, or something they need, are not available here; the text says why."""


def run(libraries: list[str], *arguments: str) -> bytes:
    """Run Python with these libraries in the project's folder and return what it prints. Raises Missing."""
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        raise Missing("uv is not on PATH")
    added = [word for library in libraries for word in ("--with", library)]
    command = [uv, "run", "--quiet", "--no-project", "--python", sys.executable, *added, "python", *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env=variables | {"UV_COMPILE_BYTECODE": "1"},
        capture_output=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode:
        raise Missing(done.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    return done.stdout
