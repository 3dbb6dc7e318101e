"""A machine for `bootstrap.sh`: a checkout, an empty home, and chosen tools on PATH."""

import functools
import hashlib
import http.server
import io
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import override

from paths import PROJECT

SCRIPT = (PROJECT / "bootstrap.sh").read_text()
UNUSABLE, UNAVAILABLE, MISCONFIGURED = 64, 69, 78
PATIENCE = 120.0
UNCOPIED = (
    ".git",
    ".venv",
    ".tools",
    "node_modules",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "results",
    "uploads",
    "logs",
    "demo",
)
TOOLS = (
    *(
        "bash",
        "cat",
        "chmod",
        "curl",
        "cut",
        "dirname",
        "env",
        "git",
        "grep",
        "gzip",
        "head",
        "ln",
        "mkdir",
        "mktemp",
        "mv",
    ),
    *("readlink", "rm", "sh", "sha256sum", "shasum", "sort", "tail", "tar", "uname"),
)
"""The tools that bootstrap.sh may call. The developer's own PATH may hold a speed-test program."""

OOKLA_ANSWER = "#!/bin/sh\necho 'Speedtest by Ookla 1.2.0.84 (ea6b6773cf) Linux/x86_64-linux-musl'\n"


class Machine:
    """Tools, home and checkout are in one folder, whose name contains a space."""

    def __init__(self, folder: Path) -> None:
        self.tools = folder / "the tools"
        self.home = folder / "the home"
        self.project = folder / "the checkout"
        self.tools.mkdir(parents=True)
        self.home.mkdir()
        for name in TOOLS:
            if found := shutil.which(name):
                self.link(name, found)
        python = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
        for name in ("python3", python.name):
            self.link(name, python)
        self.link("uv", real_uv())
        copy_project(self.project)

    def link(self, name: str, target: str | Path) -> None:
        (self.tools / name).symlink_to(target)

    def program(self, name: str, script: str) -> Path:
        """Put a script on PATH under this name, replacing any other."""
        path = self.tools / name
        path.unlink(missing_ok=True)
        return write_program(path, script)

    def remove(self, *names: str) -> None:
        for name in names:
            (self.tools / name).unlink(missing_ok=True)

    def environment(self, **more: str) -> dict[str, str]:
        """Return a user's shell environment. From ours it takes only how uv reaches its packages and its cache."""
        ours = ("SPEEDTEST_", "BOOTSTRAP_", "PYENV_", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "PYTHONPATH", "GIT_")
        ours = (*ours, "COMMIT_HASH", "SLEEP_SECONDS", "RESULT_DIR", "UPLOAD_DIR", "LOG_DIR", "UV_PYTHON")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return kept | {
            "PATH": str(self.tools),
            "HOME": str(self.home),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            "UV_CACHE_DIR": uv_cache(),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "SPEEDTEST_SERVER": "http=http://127.0.0.1:9/",  # where `auto` ends, so that no public service is asked
            "UV_COMPILE_BYTECODE": "0",  # saves seconds; not part of this test
            **more,
        }

    def bootstrap(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run `bootstrap.sh` to its end, from another folder than the project's."""
        return subprocess.run(
            [self.project / "bootstrap.sh", *arguments],
            cwd=self.home,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        """Run git in the project or in `folder`, and return its output."""
        command = ["git", "-c", "user.name=tests", "-c", "user.email=tests", *arguments]
        folder = folder or self.project
        ended = subprocess.run(command, cwd=folder, env=self.environment(), check=True, capture_output=True, text=True)
        return ended.stdout.strip()

    @property
    def brought(self) -> set[str]:
        """The speed-test programs in the project's .venv, and the contents of .tools."""
        programs = {path.name for path in (self.project / ".venv/bin").glob("speedtest*")}
        return programs | {path.name for path in (self.project / ".tools").glob("*")}

    def pin(self, archives: dict[str, bytes]) -> None:
        """Replace Ookla's checksums with those of these archives."""
        lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in archives.items()]
        (self.project / "docker/ookla-speedtest.sha256").write_text("".join(lines))


class Server(http.server.ThreadingHTTPServer):
    """Serves files on loopback and records the requests."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        name = self.path.removeprefix("/")
        self.server.asked.append(name)
        content = self.server.files.get(name)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@contextmanager
def serving(files: dict[str, bytes] | None = None) -> Iterator[Server]:
    """Serve files during the block."""
    with Server(files or {}) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nobody_listening() -> Iterator[str]:
    """Yield the address of a loopback port that refuses all connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def copy_project(folder: Path) -> None:
    """Copy the files of the working tree that a clone would have."""
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns(*UNCOPIED))


def archive(program: str, *others: str) -> bytes:
    """Return an archive like Ookla's: the program and the files beside it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in (("speedtest", program), *((other, "text\n") for other in others)):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def wheel_of_uv(folder: Path, version: str) -> Path:
    """Make a wheel like uv's, which installs the uv that runs these tests."""
    path = folder / f"uv-{version}-py3-none-any.whl"
    about = f"uv-{version}.dist-info"
    files = {
        f"uv-{version}.data/scripts/uv": uv_wrapper(),
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: uv\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{about}/RECORD"))
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            member = zipfile.ZipInfo(name)
            member.external_attr = 0o100755 << 16
            wheel.writestr(member, text)
    return path


def write_program(path: Path, script: str) -> Path:
    path.write_text(script)
    path.chmod(0o755)
    return path


def uv_wrapper() -> str:
    return f'#!/bin/sh\nexec "{real_uv()}" "$@"\n'


@functools.cache
def real_uv() -> str:
    """Return the path of uv itself. The one on PATH may be a shim that needs the rest of the developer's PATH."""
    return _uv("run", "--no-project", "--python", sys.executable, "python", "-c", "import os; print(os.environ['UV'])")


@functools.cache
def uv_cache() -> str:
    return _uv("cache", "dir")


def _uv(*arguments: str) -> str:
    uv = shutil.which("uv")
    assert uv, "uv is not on PATH; ./bootstrap.sh test puts it there"
    return subprocess.run([uv, *arguments], capture_output=True, text=True, check=True, cwd=PROJECT).stdout.strip()
