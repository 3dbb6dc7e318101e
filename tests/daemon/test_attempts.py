"""The attempts of a slot, in simulated time: fallback, retry, confirmation, pause, quiet hours, budget, servers."""

import itertools
import json
import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from samples import logged
from simulation import Simulated, SimulatedClock, Step, install, journal, serve

from speedtest.daemon import memory, schedule
from speedtest.engines import counters

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(  # noqa: PLR0913 (what varies from test to test, by name)
    folder: Path,
    ookla: list[Step] | None = None,
    other: list[Step] | None = None,
    *,
    slots: int = 1,
    noon: datetime = NOON,
    hide: str | None = None,
    **variables: str,
) -> Simulated:
    """Run a daemon for some slots of ten minutes, with new programs or those already installed."""
    for name, steps in (("speedtest", ookla), ("speedtest-cli", other)):
        if steps is not None:
            install(folder, name, steps)
    engines = "ookla,speedtest-cli" if (folder / "speedtest-cli").exists() else "ookla"
    standard = {"SLEEP_SECONDS": "600", "SPEEDTEST_ENGINE": engines, "SPEEDTEST_TIMEOUT_SECONDS": "1"}
    clock = SimulatedClock(noon, folder)
    end = noon + timedelta(minutes=10 * slots - 1)
    return serve(folder, clock, end, hide=hide, **(standard | variables))


def told(service: Simulated) -> list[tuple[str | None, str, int | None]]:
    return [(row.engine, row.error_kind or row.status, row.attempt) for row in service.rows]


def starts(service: Simulated) -> list[float]:
    """Return when each attempt was started, in seconds since noon."""
    return [(row.started_at - NOON).total_seconds() for row in service.rows if row.started_at]


OK = ("ookla", "ok", 1)
LIMITED = ("ookla", "rate-limited", 1)


def test_when_one_program_fails_the_next_is_tried_at_once_and_both_are_rows(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("exit")], [])
    assert told(service) == [("ookla", "exit", 1), ("speedtest-cli", "ok", 2)]
    assert {row.slot for row in service.rows} == {NOON}
    assert starts(service) == [0, 20]


@pytest.mark.parametrize(
    "kind", ["exit", "signal", "no-output", "malformed", "rejected", "rate-limited", "timeout", "not-found"]
)
def test_every_kind_of_failure_makes_room_for_the_next_program(tmp_path: Path, kind: str) -> None:
    gone = kind == "not-found"
    service = run(tmp_path, [Step("ok" if gone else kind)], [], hide="speedtest" if gone else None)
    assert told(service) == [("ookla", kind, 1), ("speedtest-cli", "ok", 2)]


def test_a_program_that_measures_leaves_the_next_alone(tmp_path: Path) -> None:
    assert told(run(tmp_path, [], [], slots=2)) == [OK, OK]


def test_when_all_have_failed_they_are_tried_again_after_a_pause_that_doubles(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("exit")] * 4, slots=2, SPEEDTEST_RETRIES="3")
    assert told(service) == [("ookla", "exit", number) for number in (1, 2, 3, 4)] + [OK]
    began = starts(service)
    pauses = [later - earlier - 20 for earlier, later in itertools.pairwise(began[:4])]
    assert all(least <= pause <= least * 1.5 for pause, least in zip(pauses, (15, 30, 60), strict=True))
    assert began[4] == 600


def test_without_retries_a_failure_ends_the_slot(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("exit")], slots=2, SPEEDTEST_RETRIES="0")
    assert told(service) == [("ookla", "exit", 1), OK]


def test_a_retry_that_could_not_start_before_the_next_slot_is_not_made(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("exit", took=586)], slots=2)
    assert told(service) == [("ookla", "exit", 1), OK]


def test_a_low_result_is_measured_once_more_on_another_server(tmp_path: Path) -> None:
    service = run(tmp_path, [Step(mbps=49), Step(mbps=48)], slots=2, SPEEDTEST_CONFIRM_BELOW_MBPS="50,5")
    assert told(service) == [OK, ("ookla", "ok", 2), OK]
    assert [start.arguments.count("--servers") for start in journal(tmp_path)] == [0, 1, 0, 0]
    assert [row.raw["server_id"] for row in service.rows] == ["4711", "4712", "4711"]


@pytest.mark.parametrize(("limits", "rows"), [("50,5", 1), ("100,10", 1), ("100.5,0", 2), ("0,10.5", 2)])
def test_either_direction_below_its_limit_asks_for_a_confirmation(tmp_path: Path, limits: str, rows: int) -> None:
    assert len(run(tmp_path, [], SPEEDTEST_CONFIRM_BELOW_MBPS=limits).rows) == rows


def test_a_result_of_the_next_program_is_confirmed_by_that_program(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("exit")], [Step(mbps=1)], SPEEDTEST_CONFIRM_BELOW_MBPS="50,5")
    assert told(service) == [("ookla", "exit", 1), ("speedtest-cli", "ok", 2), ("speedtest-cli", "ok", 3)]
    assert "--exclude 4711" in journal(tmp_path)[-1].arguments


def test_servers_take_turns_from_slot_to_slot_over_a_restart_and_a_retry_keeps_its_own(tmp_path: Path) -> None:
    run(tmp_path, [Step("exit")], slots=2, SPEEDTEST_SERVER_ID="11,22,33")
    run(tmp_path, slots=2, SPEEDTEST_SERVER_ID="11,22,33")
    assert [start.arguments.rpartition("=")[2] for start in journal(tmp_path)] == ["11", "11", "22", "33", "11"]


def test_a_pinned_server_that_has_vanished_is_replaced_for_that_slot_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = run(tmp_path, [Step("vanished"), Step("exit")], slots=2, SPEEDTEST_SERVER_ID="11")
    assert told(service) == [("ookla", "exit", 1), ("ookla", "exit", 2), ("ookla", "ok", 3), OK]
    assert ["--server-id=11" in start.arguments for start in journal(tmp_path)] == [True, False, False, True]
    (said,) = logged(caplog, "server_vanished")
    assert "server 11 " in said


def test_an_engine_that_asked_too_often_rests_and_longer_each_time_until_it_succeeds(tmp_path: Path) -> None:
    limited = [Step("rate-limited", took=0)] * 5
    service = run(tmp_path, [*limited, Step(), Step("rate-limited", took=0)], slots=60)
    skipped = ("ookla", "backing-off", None)
    wanted = [LIMITED, skipped]
    for slots in (2, 5, 11, 11):  # 30 min, 1 h, 2 h, 2 h: until the slot in which the pause is over
        wanted += [LIMITED, *[skipped] * slots]
    assert told(service)[: len(wanted) + 4] == [*wanted, OK, LIMITED, skipped, OK]


def test_a_rest_outlives_a_restart_and_the_next_program_measures_meanwhile(tmp_path: Path) -> None:
    run(tmp_path, [Step("rate-limited")], [])
    assert told(run(tmp_path, slots=2, noon=NOON + timedelta(minutes=10))) == [("speedtest-cli", "ok", 1), OK]


def test_a_rest_that_a_clock_ahead_of_time_noted_holds_nobody(tmp_path: Path) -> None:
    run(tmp_path, [Step("rate-limited")], noon=NOON + timedelta(days=400))
    assert told(run(tmp_path, noon=NOON)) == [OK]


def test_the_row_of_a_skipped_slot_is_dated_by_it_and_says_why(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("rate-limited")], slots=2, SPEEDTEST_LOCATION_UUID="home", COMMIT_HASH="abc")
    row = service.rows[1]
    assert (row.timestamp, row.slot, row.started_at) == (row.slot, NOON + timedelta(minutes=10), None)
    assert (row.status, row.engine, row.error_kind) == ("skipped", "ookla", "backing-off")
    assert (row.error or "").startswith("ookla is paused until 2026-03-02 12:15:20Z")
    assert (row.speedtest_address, row.interval_seconds, row.commit_hash) == ("home", 600, "abc")
    state = json.loads((tmp_path / "results" / ".heartbeat.json").read_text())
    assert (state["failures_in_a_row"], state["last_success"]) == (1, None)


def test_no_test_starts_in_quiet_hours_not_even_a_retry(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("exit", took=50)], slots=3, QUIET_HOURS="12:01-12:20", TZ="UTC")
    assert told(service) == [("ookla", "exit", 1), (None, "quiet-hours", None), OK]
    assert service.rows[1].error == "12:10 is in QUIET_HOURS"


def test_the_budget_of_a_month_is_warned_of_and_kept_over_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spent = (None, "data-budget", None)
    assert told(run(tmp_path, [], slots=4, DATA_BUDGET_GB_PER_MONTH="1.2")) == [OK] * 4
    (said,) = logged(caplog, "data_budget")
    assert all(figure in said for figure in ("1.000 GB", "83 %", "1.2 GB"))
    service = run(tmp_path, slots=2, DATA_BUDGET_GB_PER_MONTH="1.2")
    assert told(service) == [OK, spent]
    assert all(figure in (service.rows[1].error or "") for figure in ("2026-03", "1.250 GB", "1.2 GB"))
    said = logged(caplog, "data_budget")[-1]
    assert all(figure in said for figure in ("1.250 GB", "104 %"))
    next_month = datetime(2026, 4, 1, tzinfo=UTC)
    assert told(run(tmp_path, noon=next_month, DATA_BUDGET_GB_PER_MONTH="1.2")) == [OK]


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a system whose interfaces count nothing."""
    monkeypatch.setattr(counters, "read", dict)


BUDGET: Any = {"DATA_BUDGET_GB_PER_MONTH": "0.6", "SPEEDTEST_RETRIES": "3"}
SPENT = (None, "data-budget", None)


@pytest.mark.usefixtures("uncounted")
def test_a_failed_test_counts_what_the_last_good_one_moved_in_that_time(tmp_path: Path) -> None:
    service = run(tmp_path, [Step(), Step("exit", took=0), Step("exit", took=0)], slots=3, SPEEDTEST_RETRIES="3")
    assert told(service) == [OK, ("ookla", "exit", 1), ("ookla", "exit", 2), ("ookla", "ok", 3), OK]
    good, *failed = service.rows[:3]
    for row in failed:
        share = min((row.duration_seconds or 0) / (good.duration_seconds or 1), 1)
        assert schedule.counted(row) == pytest.approx(250_000_000 * share, abs=1)


def test_a_failed_test_counts_what_the_interface_moved_and_a_retry_is_refused_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = itertools.count(0, 350_000_000)
    monkeypatch.setattr(counters, "read", lambda: {"eth0": next(numbers)})
    service = run(tmp_path, [Step("exit")] * 9, slots=2, **BUDGET)
    assert told(service) == [("ookla", "exit", 1), ("ookla", "exit", 2), SPENT]
    assert [row.raw.get("counted_bytes") for row in service.rows] == ["350000000", "350000000", None]


@pytest.mark.usefixtures("uncounted")
def test_a_rejected_result_counts_the_bytes_that_it_tells(tmp_path: Path) -> None:
    service = run(tmp_path, [Step("rejected", data_bytes=700_000_000)], slots=2, **BUDGET)
    assert told(service) == [("ookla", "rejected", 1), SPENT]
    assert service.rows[0].data_bytes == 700_000_000


@pytest.mark.usefixtures("uncounted")
def test_a_program_that_could_not_be_started_counts_nothing(tmp_path: Path) -> None:
    run(tmp_path, [])
    service = run(tmp_path, hide="speedtest", SPEEDTEST_RETRIES="0")
    assert told(service) == [("ookla", "not-found", 1)]
    assert schedule.counted(service.rows[0]) == 0


@pytest.mark.usefixtures("uncounted")
def test_a_test_during_which_the_daemon_was_killed_counts_as_much_as_the_last_good_one(tmp_path: Path) -> None:
    run(tmp_path, [])
    path = tmp_path / "results" / ".schedule.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"running": "ookla"}))
    run(tmp_path, noon=NOON + timedelta(minutes=10))
    notes = json.loads(path.read_text())
    assert (notes["bytes_by_month"], notes["running"]) == ({"2026-03": 750_000_000}, None)


def test_what_is_running_is_noted_before_it_starts(tmp_path: Path) -> None:
    install(tmp_path, "speedtest", [])
    program = tmp_path / "speedtest"
    program.write_text(program.read_text().replace("ulimit -c 0", "cp ../results/.schedule.json ../seen"))
    run(tmp_path)
    assert json.loads((tmp_path / "seen").read_text())["running"] == "ookla"


def test_tests_by_hand_count_towards_the_budget_while_the_daemon_runs_and_no_count_is_lost(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    memory.count_by_hand(tmp_path / "results", 100_000_000, NOON)
    assert told(run(tmp_path, [], **BUDGET)) == [OK]
    memory.count_by_hand(tmp_path / "results", 300_000_000, NOON)
    assert told(run(tmp_path, noon=NOON + timedelta(minutes=10), **BUDGET)) == [SPENT]
    (tmp_path / "results" / ".once.json").write_text("{")
    assert memory.by_hand(tmp_path / "results", {"2026-03": 7}) == {"2026-03": 7}


@given(steps=st.lists(st.sampled_from([Step(), Step("exit", took=0), Step("rejected"), Step(mbps=1)]), max_size=8))
@settings(max_examples=8)
def test_a_budget_is_never_passed_by_more_than_one_test(steps: list[Step]) -> None:
    """Each start of the program moves 250 MB, whatever becomes of it, and the interface tells."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        home = Path(folder)
        patch.setattr(
            counters, "read", lambda: {"eth0": 250_000_000 * sum(start.kind != "list" for start in journal(home))}
        )
        run(home, steps, slots=6, SPEEDTEST_CONFIRM_BELOW_MBPS="50,5", DATA_BUDGET_GB_PER_MONTH="1.1")
        assert sum(start.kind != "list" for start in journal(home)) == 5


def test_a_spent_budget_forbids_the_confirmation_too(tmp_path: Path) -> None:
    service = run(tmp_path, [Step(mbps=1)], DATA_BUDGET_GB_PER_MONTH="0.2", SPEEDTEST_CONFIRM_BELOW_MBPS="50,5")
    assert told(service) == [OK]


def test_the_first_test_tells_what_tests_cost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    run(tmp_path, [], slots=3, DATA_BUDGET_GB_PER_MONTH="100")
    (said,) = logged(caplog, "data_use")
    assert re.findall(r"[0-9][0-9.,]* [GMT]B", said) == ["250 MB", "36.0 GB", "1.08 TB"]
    assert "DATA_BUDGET_GB_PER_MONTH=100" in said


@pytest.mark.parametrize(
    "text", ["", "{", "null", '{"rests": {"ookla": {"until": "2026-03-02T13:00:00", "seconds": 9}}}']
)
def test_a_state_that_cannot_be_read_is_a_warning_and_a_new_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    run(tmp_path, [Step("rate-limited")])
    (tmp_path / "results" / ".schedule.json").write_text(text)
    assert told(run(tmp_path)) == [OK]
    assert ".schedule.json cannot be read" in logged(caplog, "memory_lost")[-1]
    (tmp_path / "results" / ".schedule.json").unlink()
    run(tmp_path)
    assert ".schedule.json is missing" in logged(caplog, "memory_lost")[-1]


def test_a_first_start_warns_of_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(tmp_path, [])
    assert caplog.text == ""


@pytest.mark.slow
def test_jitter_spreads_locations_and_slots_and_is_the_same_at_every_start(tmp_path: Path) -> None:
    def offsets(folder: str, location: str) -> list[float]:
        jitter = {"SLEEP_JITTER_SECONDS": "300", "SPEEDTEST_LOCATION_UUID": location}
        began = starts(run(tmp_path / folder, [], slots=30, **jitter))
        return [start - 600 * number for number, start in enumerate(began)]

    home, again, office = offsets("1", "home"), offsets("2", "home"), offsets("3", "office")
    assert home == again
    assert all(0 <= offset <= 300 for offset in home + office)
    assert len({round(offset) for offset in home + office}) > 50
    assert 100 < sum(home + office) / 60 < 200


def test_a_state_that_cannot_be_written_is_told_once_and_measuring_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "results" / ".schedule.json").mkdir(parents=True)
    assert told(run(tmp_path, [], slots=3)) == [OK] * 3
    assert len(logged(caplog, "note_refused")) == 1


@pytest.mark.parametrize(
    ("steps", "variables", "rows"),
    [
        ([Step("rate-limited"), Step()], {"SPEEDTEST_RETRIES": "3"}, [LIMITED]),
        ([Step()], {"SPEEDTEST_CONFIRM_BELOW_MBPS": "1000,0", "DATA_BUDGET_GB_PER_MONTH": "0.2"}, [OK]),
        ([Step()], {"SPEEDTEST_CONFIRM_BELOW_MBPS": "1000,0"}, [OK, ("ookla", "ok", 2)]),
    ],
    ids=["pause", "budget", "neither"],
)
def test_pauses_and_the_budget_hold_also_for_a_caller_that_takes_all_rows_of_a_slot_at_once(
    tmp_path: Path, steps: list[Step], variables: dict[str, str], rows: list[tuple[str, str, int]]
) -> None:
    install(tmp_path, "speedtest", steps)
    clock = SimulatedClock(NOON, tmp_path)
    standard = {"SLEEP_SECONDS": "600", "SPEEDTEST_ENGINE": "ookla"}
    daemon = serve(tmp_path, clock, NOON - timedelta(seconds=1), **(standard | variables))
    clock.end = NOON + timedelta(minutes=10)
    found = list(daemon.measure(daemon.ticks.take()))
    assert [(row.engine, row.error_kind or row.status, row.attempt) for row in found] == rows
