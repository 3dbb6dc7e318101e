"""`./bootstrap.sh setup`: where uv, Python and the libraries come from."""

import re
from pathlib import Path

import machine
import pytest
from machine import OOKLA_ANSWER, SCRIPT, UNAVAILABLE, Machine, Server, nobody_listening

UV_VERSION = re.findall(r"^UV_VERSION=(.+)$", SCRIPT, re.MULTILINE)[0]
INSTALLER = f"""#!/bin/sh
APP_VERSION="{UV_VERSION}"
download_binary_and_run_installer() {{
  mkdir -p "$UV_UNMANAGED_INSTALL"
  printf '#!/bin/sh\\nexec "{machine.real_uv()}" "$@"\\n' > "$UV_UNMANAGED_INSTALL/uv"
  chmod +x "$UV_UNMANAGED_INSTALL/uv"
}}

download_binary_and_run_installer "$@" || exit 1
"""


@pytest.mark.parametrize("answer", ["exit 127", "echo uv 0.4.30"])
def test_a_uv_that_does_not_answer_or_is_too_old_is_passed_over(fresh: Machine, tmp_path: Path, answer: str) -> None:
    fresh.program("speedtest", OOKLA_ANSWER)
    shims = tmp_path / "shims"
    shims.mkdir()
    machine.write_program(shims / "uv", f"#!/bin/sh\n{answer}\n")
    ended = fresh.bootstrap("setup", PATH=f"{shims}:{fresh.tools}")
    assert ended.returncode == 0, ended.stderr
    assert fresh.brought == set()


def test_uv_comes_from_its_installer_into_the_project_and_only_once(fresh: Machine, internet: Server) -> None:
    fresh.remove("uv")
    fresh.program("speedtest", OOKLA_ANSWER)
    internet.files["install.sh"] = INSTALLER.encode()
    for _ in range(2):
        ended = fresh.bootstrap("setup", BOOTSTRAP_UV_INSTALLER_URL=f"{internet.url}/install.sh")
        assert ended.returncode == 0, ended.stderr
    assert internet.asked == ["install.sh"]
    assert fresh.brought == {"bin"}
    assert list(fresh.home.iterdir()) == []


@pytest.mark.parametrize(
    "sent",
    [
        INSTALLER[: INSTALLER.index("download_binary_and_run_installer", 200)],
        INSTALLER.replace(UV_VERSION, "0.0.1"),
        INSTALLER.replace("}", ""),
        "<html>Please log in to this hotel's network</html>",
    ],
    ids=["cut off", "another version", "no shell script", "a page"],
)
def test_what_is_not_the_whole_installer_of_uv_is_not_run(fresh: Machine, internet: Server, sent: str) -> None:
    fresh.remove("uv", "python3")
    internet.files["install.sh"] = sent.encode()
    ended = fresh.bootstrap("setup", BOOTSTRAP_UV_INSTALLER_URL=f"{internet.url}/install.sh")
    assert ended.returncode == UNAVAILABLE
    assert "was not run" in ended.stderr
    assert "install uv yourself" in ended.stderr
    assert fresh.brought == set()


@pytest.mark.slow
@pytest.mark.parametrize("module", ["venv", "pip"])
def test_without_its_installer_uv_comes_by_whichever_module_python_has(
    fresh: Machine, tmp_path: Path, module: str
) -> None:
    fresh.remove("uv")
    fresh.program("speedtest", OOKLA_ANSWER)
    python = (fresh.tools / "python3").resolve()
    fresh.program("python3", f'#!/bin/sh\n[ "$2" = {module} ] && exec "{python}" "$@"\n')
    machine.wheel_of_uv(tmp_path, UV_VERSION)
    with nobody_listening() as refused:
        ended = fresh.bootstrap("setup", BOOTSTRAP_UV_INSTALLER_URL=refused, PIP_FIND_LINKS=str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    assert fresh.brought == {"uv"}


def test_without_python_set_up_ends_with_advice(fresh: Machine) -> None:
    for python in fresh.tools.glob("python3*"):
        python.unlink()
    ended = fresh.bootstrap("setup", UV_PYTHON_DOWNLOADS="never")
    assert ended.returncode == UNAVAILABLE
    assert "Python 3.13 is not on this machine" in ended.stderr


def test_without_the_libraries_set_up_ends_with_advice(fresh: Machine, tmp_path: Path) -> None:
    ended = fresh.bootstrap("setup", UV_OFFLINE="1", UV_CACHE_DIR=str(tmp_path / "empty"))
    assert ended.returncode == UNAVAILABLE
    assert "finished downloads are kept" in ended.stderr
