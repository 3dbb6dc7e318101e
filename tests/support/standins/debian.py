"""Programs from Debian packages for the tests: the machine's own if it has them, else unpacked below `.tools`.

This needs no root and installs nothing on the system: apt keeps its lists and archives in a separate folder, and
downloads the package and its missing dependencies from the machine's mirror; dpkg-deb unpacks them. If this release
lacks the package, it is taken from a later one, if it runs here.
"""

import fcntl
import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

LATER_RELEASE = "trixie"
APT_SECONDS = 300
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Elsewhere(Exception):
    """The program is not on PATH, and this machine is no Debian, so a person has to install it."""


def program(name: str, package: str, folder: Path) -> Path:
    """Return the path of this program. Raises Elsewhere, or RuntimeError if apt cannot provide it.

    Two test runs that start at once wait for each other.
    """
    found = shutil.which(name)
    if found and answers(Path(found)):
        return Path(found)
    advice = f"The tests measure with the real {name}, which is not on PATH."
    if release() is None or not shutil.which("apt-get"):
        raise Elsewhere(f"{advice} Install it and retry.")
    wrapper = folder / "bin" / name
    folder.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not answers(wrapper):
            bring(package, folder)
            wrap(wrapper, folder)
        if not answers(wrapper):
            raise RuntimeError(f"{advice} {wrapper} was unpacked but does not run: remove {folder} and retry.")
    return wrapper


def answers(path: Path) -> bool:
    """Say whether the program runs."""
    try:
        return subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False).returncode == 0
    except OSError:
        return False


def release() -> str | None:
    """Return the name of this machine's Debian release, None if it runs something else."""
    about = Path("/etc/os-release")
    fields = (
        dict(line.split("=", 1) for line in about.read_text().splitlines() if "=" in line) if about.exists() else {}
    )
    return fields.get("VERSION_CODENAME") if fields.get("ID") == "debian" else None


def bring(package: str, folder: Path) -> None:
    """Download and unpack a package of this release or of the later one. Raises RuntimeError with apt's message."""
    said: list[str] = []
    for suite in dict.fromkeys((release() or LATER_RELEASE, LATER_RELEASE)):
        apt = folder / "apt" / suite
        for command in (["update"], ["install", "--download-only", "--no-install-recommends", "--yes", package]):
            ended = run(["apt-get", *options(apt, suite), *command])
            if ended.returncode:
                said.append(ended.stderr.strip())
                break
        else:
            for archive in sorted((apt / "archives").glob("*.deb")):
                run(["dpkg-deb", "--extract", str(archive), str(folder / "root")]).check_returncode()
            shutil.rmtree(folder / "apt")
            return
    shutil.rmtree(folder / "apt")
    raise RuntimeError(
        f"The tests measure with the real program of Debian's {package}, which apt could not bring:\n"
        + "\n".join(said)
        + f"\nInstall it (apt-get install {package}) and start them again."
    )


def options(apt: Path, suite: str) -> Sequence[str]:
    """Return options that make apt work in its own folder, with this suite of the machine's mirror."""
    for part in ("lists/partial", "archives/partial"):
        (apt / part).mkdir(parents=True, exist_ok=True)
    sources = apt / "sources.list"
    sources.write_text(f"deb [signed-by={KEYS}] {own_mirror()} {suite} main\n", encoding="utf-8")
    settings = {
        "Dir::Etc::SourceList": sources,
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": apt / "lists",
        "Dir::Cache::Archives": apt / "archives",
        "Dir::Cache::PkgCache": "",
        "Dir::Cache::SrcPkgCache": "",
        "Debug::NoLocking": "true",
        "APT::Sandbox::User": "",
    }
    return [f"--option={name}={value}" for name, value in settings.items()]


def own_mirror() -> str:
    """Return the mirror from which this machine gets Debian's packages."""
    targets = run(["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"]).stdout
    for line in targets.splitlines():
        suite, component, mirror = line.split()
        if (suite, component) == (release(), "main"):
            return mirror
    raise RuntimeError(f"apt cannot provide a program: it has no source for {release()} main. Add one and retry.")


def run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"LC_ALL": "C"}, timeout=APT_SECONDS, check=False
    )


def wrap(wrapper: Path, folder: Path) -> None:
    """Write a script that starts the program with its unpacked libraries."""
    root = folder / "root" / "usr"
    libraries = ":".join(str(path) for path in sorted({path.parent for path in root.rglob("*.so*")}))
    (real,) = root.glob(f"*bin/{wrapper.name}")
    wrapper.parent.mkdir(exist_ok=True)
    wrapper.write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH={shlex.quote(libraries)} exec {shlex.quote(str(real))} "$@"\n', encoding="utf-8"
    )
    wrapper.chmod(0o755)
