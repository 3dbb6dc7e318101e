"""The stand-in for Ookla's CLI does what its table says. The daemon's tests rely on that."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standins import ookla

FLAGS = ["--accept-license", "--accept-gdpr", "--progress=no", "--format=json"]
ENDING = [name for name, behaviour in ookla.BEHAVIOURS.items() if not behaviour.endless]
ENDLESS = [name for name, behaviour in ookla.BEHAVIOURS.items() if behaviour.endless]
UNREADABLE = (ValueError, RecursionError)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    ookla.end(tmp_path / "speedtest")


def run(program: Path, *flags: str, environment: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    """Run the program with its output in files, so that a grandchild that keeps them open cannot block us."""
    with (program.parent / "out").open("w+b") as out, (program.parent / "err").open("w+b") as err:
        code = subprocess.run(
            [program, *(flags or FLAGS)], stdout=out, stderr=err, env=environment, timeout=20, check=False
        ).returncode
        out.seek(0)
        err.seek(0)
        return code, out.read(), err.read()


def results(stdout: bytes) -> list[dict[str, Any]]:
    """Return the results that a program printed, decoded by Python's json."""
    found = []
    for line in stdout.splitlines():
        try:
            document = json.loads(line)
        except UNREADABLE:
            continue
        if isinstance(document, dict) and document.get("type") == "result":
            found.append(document)
    return found


@pytest.mark.parametrize("name", ENDING)
def test_a_behaviour_ends_with_the_exit_code_and_the_words_of_its_table(folder: Path, name: str) -> None:
    behaviour = ookla.BEHAVIOURS[name]

    code, out, err = run(ookla.install(folder, name))

    assert code == behaviour.exit_code
    assert behaviour.error_kind in {"malformed", "rejected"} or behaviour.error.encode() in out + err
    if behaviour.status == "ok":
        megabits = [result["download"]["bandwidth"] * 8 / 1e6 for result in results(out)]
        assert megabits[-1] == behaviour.columns["download_mbps"]
    if behaviour.error_kind in {"no-output", "rate-limited"}:
        assert not out.strip()


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_behaviour_is_still_running_after_a_while(folder: Path, name: str) -> None:
    program = ookla.install(folder, name)

    with subprocess.Popen(
        [program, *FLAGS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.2)
            known = process.pid in ookla.alive(program)
        finally:
            os.killpg(process.pid, signal.SIGKILL)

    assert known
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "name", ["a grandchild keeps the pipe open", "a grandchild in another session keeps the pipe open"]
)
def test_a_grandchild_outlives_the_program_until_it_is_ended(folder: Path, name: str) -> None:
    program = ookla.install(folder, name)

    run(program)

    assert len(ookla.alive(program)) == 1
    ookla.end(program)
    assert ookla.alive(program) == []


@pytest.mark.parametrize(
    ("missing", "words"), [("--accept-license", "--accept-license"), ("--accept-gdpr", "--accept-gdpr")]
)
def test_without_a_consent_it_shows_the_notice_and_exits_with_1(folder: Path, missing: str, words: str) -> None:
    code, out, err = run(ookla.install(folder), *(flag for flag in FLAGS if flag != missing))

    assert (code, out) == (1, b"")
    assert words.encode() in err


def test_without_a_home_it_aborts(folder: Path) -> None:
    code, out, err = run(ookla.install(folder), environment={"PATH": os.defpath})

    assert (code, out) == (-signal.SIGABRT, b"")
    assert err.startswith(b"terminate called")


def test_without_format_json_it_prints_words(folder: Path) -> None:
    code, out, _ = run(ookla.install(folder), "--accept-license", "--accept-gdpr")

    assert (code, results(out)) == (0, [])


@pytest.mark.parametrize(
    ("version", "line"),
    [
        ("1.2.0", "Speedtest by Ookla 1.2.0.84 (ea6b6773cf) "),
        ("1.0.0", "Speedtest by Ookla 1.0.0.2 "),
        ("speedtest-cli 2.1.3", "speedtest-cli 2.1.3"),
    ],
)
def test_it_says_its_version(folder: Path, version: str, line: str) -> None:
    code, out, _ = run(ookla.install(folder, version=version), "--version")

    assert code == 0
    assert out.decode().splitlines()[0].startswith(line)


def test_it_prints_numbers_text_and_the_time_exactly_as_told(folder: Path) -> None:
    text = ookla.RESULTS["names to escape"].text.replace("2024-03-09T14:25:36Z", ookla.NOW)
    before = datetime.now(UTC).replace(microsecond=0)

    _, out, _ = run(ookla.install(folder, result=text))

    (result,) = results(out)
    assert before <= datetime.fromisoformat(result["timestamp"]) <= datetime.now(UTC)
    assert out.decode() == text.replace(ookla.NOW, result["timestamp"])
    assert b'"jitter":2.550' in out


def test_it_writes_down_how_it_was_called(folder: Path) -> None:
    program = ookla.install(folder, "records its environment")

    run(program, *FLAGS, "--server-id=4711", environment={"HOME": "/h", "TEXT": "of two\nlines"})
    run(program, "--version")

    assert ookla.calls(program) == [[*FLAGS, "--server-id=4711"], ["--version"]]
    assert ookla.environment(program) == {"HOME": "/h", "TEXT": "of two\nlines"}
