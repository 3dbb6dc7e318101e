"""One attempt: whatever the program does, it makes one row and leaves nothing running."""

import os
import signal
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from daemon import until
from standins import ookla
from standins.ookla_behaviours import BEHAVIOURS, Behaviour
from standins.service import FAR, FAULTS, Service

from speedtest import environment, programs, speedtest
from speedtest.data import results
from speedtest.data.csv_rows import Source
from speedtest.data.table import parse
from speedtest.engines import ENGINES
from speedtest.environment import Settings
from speedtest.measurement import ERROR_WORDS_LIMIT, Measurement
from speedtest.process import Stop
from speedtest.programs import Program
from speedtest.speedtest import Slot

SHORT = "0.8"
"""The time limit, in seconds, of a program that never ends by itself."""


def settings(**variables: str) -> Settings:
    return environment.read(variables, ENGINES)


def surroundings(*folders: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.pathsep.join([*map(str, folders), os.environ["PATH"]]), "HOME": str(folders[0])} | more


def find(*folders: Path, engine: str = "auto") -> Program | None:
    only = {"PATH": os.pathsep.join(map(str, folders)), "HOME": "/"}
    return programs.find(settings(SPEEDTEST_ENGINE=engine), only, Stop())


def attempt(folder: Path, variables: dict[str, str] | None = None, **more: str) -> Measurement:
    program = find(folder)
    assert program
    slot = Slot(datetime.now(UTC), 1)
    measurement = speedtest.run(program, settings(**more), slot, variables or surroundings(folder), Stop())
    assert measurement
    return measurement


def in_the_lake(row: Measurement) -> dict[str, Any]:
    """Return the row's columns as read back from its file."""
    table, unreadable = parse([Source("speedtest_x.csv", results.encode(row).data)], "home")
    assert unreadable == {}
    kept = table.to_pylist()[0]
    return kept | {"timestamp": f"{kept['timestamp']:%Y-%m-%dT%H:%M:%SZ}"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if behaviour.endless else ()) for name, behaviour in BEHAVIOURS.items()],
)
def test_whatever_ookla_does_is_the_row_that_it_should_be(tmp_path: Path, name: str) -> None:
    behaviour: Behaviour = BEHAVIOURS[name]
    program = ookla.install(tmp_path, name)
    row = attempt(tmp_path, SPEEDTEST_TIMEOUT_SECONDS=SHORT if behaviour.endless else "60")
    assert (row.status, row.error_kind) == (behaviour.status, behaviour.error_kind), row.error
    assert behaviour.error.lower() in (row.error or "").lower()
    assert len(row.error or "") <= ERROR_WORDS_LIMIT
    if not behaviour.endless:
        assert row.exit_code == behaviour.exit_code
    kept = in_the_lake(row)
    assert {column: kept[column] for column in behaviour.columns} == behaviour.columns
    if row.status == "failed":
        assert (row.timestamp, row.download_mbps, row.upload_mbps, row.latency_ms) == (row.started_at, None, None, None)
    if not behaviour.escapes:
        until(lambda: not ookla.alive(program), "end of everything it started")
    ookla.end(program)


def test_every_row_says_under_which_settings_it_was_measured(tmp_path: Path) -> None:
    ookla.install(tmp_path, seconds=0.3)
    before = datetime.now(UTC)
    row = attempt(tmp_path, SLEEP_SECONDS="600", SPEEDTEST_LOCATION_UUID="home", COMMIT_HASH="abc", TZ="Europe/Zurich")
    assert (row.engine, row.engine_version) == ("ookla", "1.2.0.84")
    assert (row.interval_seconds, row.speedtest_address) == (600, "home")
    assert (row.commit_hash, row.timezone, row.attempt) == ("abc", "Europe/Zurich", 1)
    assert before <= (row.started_at or before) <= datetime.now(UTC)
    assert 0.3 <= (row.duration_seconds or 0) < 30
    assert abs((row.slot or before) - before) < timedelta(seconds=30)


def test_a_result_is_dated_by_the_program_and_its_numbers_are_kept_as_printed(tmp_path: Path) -> None:
    ookla.install(tmp_path, "good result, 1.0.0")
    row = attempt(tmp_path)
    assert row.timestamp != row.started_at
    assert any(len(text or "") > 15 and "." in (text or "") for text in row.raw.values()), "a full double as printed"
    assert "timestamp" not in row.raw


def test_the_fields_of_a_rejected_result_are_kept_as_evidence(tmp_path: Path) -> None:
    ookla.install(tmp_path, "no download speed")
    row = attempt(tmp_path)
    assert (row.raw["download_bandwidth"], row.download_mbps) == ("0", None)
    assert row.raw["raw_timestamp"]


def test_a_pinned_server_is_asked_for(tmp_path: Path) -> None:
    program = ookla.install(tmp_path)
    attempt(tmp_path, SPEEDTEST_SERVER_ID="12345")
    assert ookla.calls(program)[-1] == [
        "--accept-license",
        "--accept-gdpr",
        "--progress=no",
        "--format=json",
        "--server-id=12345",
    ]


SECRETS = {
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_ANYTHING": "x",
    "GITHUB_TOKEN": "x",
    "TOKEN": "x",
    "MY_SECRET": "x",
    "MY_SECRET_KEY": "x",
    "PAGE_PASSWORD": "x",
    "PAGE_PASSWORD_FILE": "x",
    "PYTHONPATH": "/nowhere",
    "PYTHONHOME": "/nowhere",
    "VIRTUAL_ENV": "/nowhere",
}


def test_a_program_gets_no_secrets_and_no_python_paths_and_all_the_rest(tmp_path: Path) -> None:
    program = ookla.install(tmp_path, "records its environment")
    harmless = {"http_proxy": "http://127.0.0.1:9", "LANG": "C.UTF-8", "TOKENS": "yes"}
    attempt(tmp_path, surroundings(tmp_path, **SECRETS, **harmless))
    passed = ookla.environment(program)
    assert not set(SECRETS) & set(passed)
    assert harmless.items() <= passed.items()
    assert passed["HOME"] == str(tmp_path)


def test_a_program_gets_a_home_where_there_is_none(tmp_path: Path) -> None:
    ookla.install(tmp_path)
    assert attempt(tmp_path, {"PATH": os.environ["PATH"]}).status == "ok"


def test_a_program_that_vanished_is_a_row(tmp_path: Path) -> None:
    path = ookla.install(tmp_path)
    program = find(tmp_path)
    assert program
    path.unlink()
    row = speedtest.run(program, settings(), Slot(datetime.now(UTC)), surroundings(tmp_path), Stop())
    assert row
    assert (row.status, row.error_kind, row.exit_code) == ("failed", "not-found", None)
    assert str(path) in (row.error or "")
    assert not program.is_unchanged()


def test_a_program_that_cannot_be_executed_is_a_row(tmp_path: Path) -> None:
    path = ookla.install(tmp_path)
    program = find(tmp_path)
    assert program
    path.write_bytes(b"\x7fELF of another machine")
    row = speedtest.run(program, settings(), Slot(datetime.now(UTC)), surroundings(tmp_path), Stop())
    assert row
    assert (row.error_kind, "Exec format error" in (row.error or "")) == ("not-found", True)


@pytest.mark.slow
def test_a_test_that_is_ended_by_a_stop_is_no_row(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    stop = Stop()
    stop.on(signal.SIGUSR1)
    path = ookla.install(tmp_path, "hangs and ignores SIGTERM")
    program = find(tmp_path)
    assert program
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    timer.start()
    assert speedtest.run(program, settings(), Slot(datetime.now(UTC)), surroundings(tmp_path), stop) is None
    until(lambda: not ookla.alive(path), "end of the program")
    signal.signal(signal.SIGUSR1, before)


def test_auto_takes_ooklas_speedtest(tmp_path: Path) -> None:
    path = ookla.install(tmp_path)
    program = find(tmp_path)
    assert program
    assert (program.engine.name, program.path, program.version) == ("ookla", path, "1.2.0.84")


def test_auto_takes_pythons_program_where_it_is_called_speedtest(tmp_path: Path) -> None:
    path = ookla.install(tmp_path, version="speedtest-cli 2.1.3\nPython 3.13.0")
    program = find(tmp_path)
    assert program
    assert (program.engine.name, program.path, program.version) == ("speedtest-cli", path, "2.1.3")


def test_auto_takes_our_own_program_where_there_is_no_other_and_librespeed_after_it(tmp_path: Path) -> None:
    ookla.install(tmp_path, version="librespeed-cli v1.0.11 (built on )", name="librespeed-cli")
    program = find(tmp_path)
    assert program
    assert (program.engine.name, program.path) == ("http", Path(sys.executable))
    path = ookla.install(tmp_path)
    found = programs.find_all(settings(), {"PATH": str(tmp_path)}, Stop())
    assert [each.engine.name for each in found.values()] == ["ookla", "http", "librespeed"]
    path.unlink()
    ookla.install(tmp_path, version="speedtest-cli 2.1.3")
    found = programs.find_all(settings(), {"PATH": str(tmp_path)}, Stop())
    assert [each.engine.name for each in found.values()] == ["speedtest-cli", "http", "librespeed"]


def test_a_program_of_another_name_is_not_found(tmp_path: Path) -> None:
    ookla.install(tmp_path, version="Some other speedtest 9.9")
    for engine in ("ookla", "speedtest-cli"):
        assert find(tmp_path, engine=engine) is None
        assert find(tmp_path / "nowhere", engine=engine) is None


def test_a_program_that_says_no_version_is_not_found(tmp_path: Path) -> None:
    ookla.install(tmp_path, version="says nothing")
    assert find(tmp_path, engine="ookla") is None


def test_ookla_is_found_behind_another_program_of_the_same_name(tmp_path: Path) -> None:
    ookla.install(tmp_path / "first", version="speedtest-cli 2.1.3")
    path = ookla.install(tmp_path / "second")
    program = find(tmp_path / "first", tmp_path / "second", engine="ookla")
    assert program
    assert program.path == path


def test_the_engine_asked_for_is_the_one_found(tmp_path: Path) -> None:
    ookla.install(tmp_path)
    assert find(tmp_path, engine="speedtest-cli") is None
    path = ookla.install(tmp_path, version="speedtest-cli 2.1.3", name="speedtest-cli")
    program = find(tmp_path, engine="speedtest-cli")
    assert program
    assert program.path == path


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_the_service_does_to_the_real_speedtest_cli_is_the_row_that_it_should_be(
    speedtest_cli: Path, name: str
) -> None:
    fault = FAULTS[name]
    with Service(name) as service:
        row = attempt(
            speedtest_cli.parent,
            surroundings(speedtest_cli.parent, **service.environment),
            SPEEDTEST_ENGINE="speedtest-cli",
            SPEEDTEST_TIMEOUT_SECONDS="4" if fault.endless else "60",
        )
    assert (row.status, row.error_kind) == (fault.row_status, fault.error_kind), row.error
    if fault.error_kind != "rejected":
        assert fault.error in (row.error or "")
    if not fault.endless:
        assert row.exit_code == fault.exit_code


def test_the_real_speedtest_cli_measures_and_its_fields_are_kept(speedtest_cli: Path) -> None:
    with Service() as service:
        row = attempt(
            speedtest_cli.parent,
            surroundings(speedtest_cli.parent, **service.environment),
            SPEEDTEST_ENGINE="speedtest-cli",
            SPEEDTEST_SERVER_ID=FAR["id"],
        )
        assert (row.status, row.engine, row.engine_version, row.error) == ("ok", "speedtest-cli", "2.1.3", None)
        assert row.download_mbps == float(row.raw["download"] or 0) / 1e6 > 0
        assert row.data_bytes == int(row.raw["bytes_sent"] or 0) + int(row.raw["bytes_received"] or 0)
        assert 1_000_000 < (row.data_bytes or 0) <= service.sent + service.received
    assert (row.raw["server_name"], row.raw["server_sponsor"]) == (FAR["name"], FAR["sponsor"])
    assert (row.jitter_ms, row.packet_loss_percent) == (None, None)


def test_a_folder_on_path_that_may_not_be_looked_into_is_passed_over(tmp_path: Path) -> None:
    ookla.install(tmp_path / "bin")
    forbidden = tmp_path / ("a name that is too long" * 20)
    assert find(forbidden, tmp_path / "bin")


def test_an_empty_home_is_none() -> None:
    assert programs.child_environment({"HOME": "", "TMPDIR": ""})["HOME"]
    assert programs.child_environment({"HOME": "", "TMPDIR": "/scratch"})["HOME"] == "/scratch"


def test_once_a_stop_is_requested_nothing_more_is_started(tmp_path: Path) -> None:
    path = ookla.install(tmp_path)
    ookla.install(tmp_path, version="speedtest-cli 2.1.3", name="speedtest-cli")
    program = find(tmp_path)
    assert program
    asked = ookla.calls(path)
    stop = Stop()
    stop.signal = signal.SIGTERM
    assert speedtest.run(program, settings(), Slot(datetime.now(UTC)), surroundings(tmp_path), stop) is None
    assert ookla.calls(path) == asked
    assert programs.find(settings(), surroundings(tmp_path), stop) is None
    assert not ookla.calls(tmp_path / "speedtest-cli")


def test_a_relative_folder_on_path_is_a_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ookla.install(tmp_path / "bin")
    monkeypatch.chdir(tmp_path)
    program = find(Path("bin"))
    assert program
    assert program.path == path
