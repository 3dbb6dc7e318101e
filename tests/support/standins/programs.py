"""Real programs for the tests, each in its own environment below the project's `.tools` folder."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

SPEEDTEST_CLI = "2.1.3"
INSTALL_SECONDS = 300


def speedtest_cli(folder: Path, python: str) -> Path:
    """Return the path of speedtest-cli, the Python program. Install it in `folder` if it does not run there yet.

    It must never be installed beside this project: its module is also called `speedtest`. Two test runs that start
    at once wait for each other. Raises RuntimeError with advice if it cannot be installed.
    """
    program = folder / "bin" / "speedtest-cli"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answers(program):
            install(folder, python)
            if not answers(program):
                raise RuntimeError(f"{program} was installed but does not run: remove {folder} and retry.")
    return program


def answers(program: Path) -> bool:
    """Say whether this program runs and is the version of speedtest-cli that the tests need."""
    try:
        version = subprocess.run(
            [program, "--version"], capture_output=True, text=True, env=isolated(), timeout=60, check=False
        )
    except OSError:
        return False
    return version.stdout.startswith(f"speedtest-cli {SPEEDTEST_CLI}\n")


def install(folder: Path, python: str) -> None:
    """Install speedtest-cli with uv into its own environment in `folder`, as bootstrap.sh does, with `folder`/bin."""
    uv = os.environ.get("UV") or shutil.which("uv")
    advice = (
        f"The tests measure with the real speedtest-cli {SPEEDTEST_CLI}, which could not be installed in {folder}. "
        "Run them once with `uv run pytest` while this machine reaches a Python package index. Later runs need none."
    )
    if uv is None:
        raise RuntimeError(f"{advice}\nuv is not on PATH.")
    places = {"UV_TOOL_DIR": str(folder), "UV_TOOL_BIN_DIR": str(folder / "bin"), "UV_COMPILE_BYTECODE": "1"}
    command = [uv, "tool", "install", "--force", "--python", python, f"speedtest-cli=={SPEEDTEST_CLI}"]
    made = subprocess.run(
        command, capture_output=True, text=True, env=isolated() | places, timeout=INSTALL_SECONDS, check=False
    )
    if made.returncode:
        raise RuntimeError(f"{advice}\n`{' '.join(command)}` exited with {made.returncode}:\n{made.stderr.strip()}")


def isolated() -> dict[str, str]:
    """Return the environment without variables that point other Python programs to this project's packages."""
    ours = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in ours}
