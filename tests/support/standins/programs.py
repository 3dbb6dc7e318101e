"""Real programs that the tests run, each in an environment of its own below the project's `.tools` folder."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

SPEEDTEST_CLI = "2.1.3"
INSTALL_SECONDS = 300


def speedtest_cli(folder: Path, python: str) -> Path:
    """Return the path of speedtest-cli, the Python program, installed in `folder` if it does not answer there yet.

    It must never be installed beside this project: its module is called `speedtest`, too. Two test runs that start
    at once wait for each other. Raises RuntimeError, with advice, where it cannot be installed.
    """
    program = folder / "bin" / "speedtest-cli"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answers(program):
            install(folder, python)
            if not answers(program):
                raise RuntimeError(f"{program} was installed but does not answer: remove {folder} and start again.")
    return program


def answers(program: Path) -> bool:
    """Tell whether this is the speedtest-cli that the tests are written for, and it runs."""
    try:
        version = subprocess.run(
            [program, "--version"], capture_output=True, text=True, env=isolated(), timeout=60, check=False
        )
    except OSError:
        return False
    return version.stdout.startswith(f"speedtest-cli {SPEEDTEST_CLI}\n")


def install(folder: Path, python: str) -> None:
    """Let uv make an environment for speedtest-cli in `folder`, as bootstrap.sh does, and put it into `folder`/bin."""
    uv = os.environ.get("UV") or shutil.which("uv")
    advice = (
        f"The tests measure with the real speedtest-cli {SPEEDTEST_CLI}, which could not be installed in {folder}. "
        "Start them by `uv run pytest` on a machine that reaches a Python package index once; later runs need none."
    )
    if uv is None:
        raise RuntimeError(f"{advice}\nuv was not found.")
    places = {"UV_TOOL_DIR": str(folder), "UV_TOOL_BIN_DIR": str(folder / "bin"), "UV_COMPILE_BYTECODE": "1"}
    command = [uv, "tool", "install", "--force", "--python", python, f"speedtest-cli=={SPEEDTEST_CLI}"]
    made = subprocess.run(
        command, capture_output=True, text=True, env=isolated() | places, timeout=INSTALL_SECONDS, check=False
    )
    if made.returncode:
        raise RuntimeError(f"{advice}\n`{' '.join(command)}` exited with {made.returncode}:\n{made.stderr.strip()}")


def isolated() -> dict[str, str]:
    """Return the environment without what would lead another Python program to this project's packages."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours}
