"""Something wrong is told once when it begins and once when it is over, and nothing else is told."""

import json
import random
import shutil
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alerting import LOCATION, SLOT, HttpReceiver, ToldLine, break_line, good_row, lasting, measure, outage
from hypothesis import given, settings, strategies as st
from samples import keep, utc
from views import failed, skipped

from speedtest.alerts import silence
from speedtest.data import delivery_note, heartbeat
from speedtest.data.delivery_note import DeliveryNote
from speedtest.data.heartbeat import Heartbeat
from speedtest.data.parquet import Damaged
from speedtest.measurement import Measurement

START = utc(2026, 11, 23, 10, 0, 0)
SLOW = {"ALERT_BELOW_MBPS": "100,10"}


def begun(folder: Path, **variables: str) -> ToldLine:
    """Return a line whose alerts have begun, with nothing wrong."""
    line = ToldLine(folder, **variables)
    line.run(START)
    return line


def text(line: ToldLine, number: int = 0) -> str:
    return line.told[number].text


def after(line: ToldLine, rows: list[Measurement], start: datetime = START) -> datetime:
    """Keep rows, and let the child run a minute after each."""
    now = start
    for row in rows:
        line.keep(row)
        now = (row.started_at or row.timestamp) + timedelta(minutes=1)
        line.run(now)
    return now


def test_a_slow_line_is_told_when_three_of_four_tests_are_slow_and_again_when_as_many_are_good(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    now = measure(line, [250, 90, 250, 90], START)
    assert line.told == []
    now = measure(line, [90, 91, 92], now)
    assert line.subjects == ["home: slow since 23 Nov 11:20"]
    assert "23 Nov 11:50: download 90.0 Mbit/s, upload 40.0 Mbit/s" in text(line)
    assert "Limit: 100 Mbit/s download and 10.0 Mbit/s upload" in text(line)
    now = measure(line, [250, 250, 90, 250, 250, 250], now)
    assert [event.phase for event in line.told] == ["began", "ended"]
    assert "fast again since" in line.subjects[1]
    assert "Lasted: " in text(line, 1)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(tests=st.lists(st.booleans(), max_size=16), some=st.integers(1, 4), more=st.integers(0, 3))
def test_begins_and_ends_take_turns_and_each_needs_n_of_the_last_m_tests(
    tmp_path_factory: pytest.TempPathFactory, tests: list[bool], some: int, more: int
) -> None:
    folder = tmp_path_factory.mktemp("line")
    line = begun(folder, ALERT_TESTS=f"{some},{some + more}", **SLOW)
    line.keep(*(good_row(START + SLOT * number, 50 if slow else 200) for number, slow in enumerate(tests, 1)))
    line.run(START + SLOT * 100)
    assert [event.phase for event in line.told] == (["began", "ended"] * len(tests))[: len(line.told)]
    expected, is_slow, window = 0, False, list[bool]()
    for slow in tests:
        window = [*window, slow][-some - more :]
        if window.count(not is_slow) >= some:
            expected, is_slow = expected + 1, not is_slow
            window.clear()
    assert len(line.told) == expected
    shutil.rmtree(folder)


def test_a_test_that_something_else_made_slow_is_left_out(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    doubtful: list[dict[str, Any]] = [
        {"link": "wifi"},
        {"other_bytes": 10**9},
        {"cpu_percent": 99.0},
        {"raw": {"server_d": "900"}},
    ]
    rows = [good_row(START + SLOT * number, 20, **more) for number, more in enumerate(doubtful, 1)]
    after(line, rows)
    assert line.told == []


def test_a_test_outside_the_slots_such_as_a_second_opinion_is_left_out(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    rows = [good_row(START + SLOT * number, 50, slot=None) for number in range(1, 5)]
    after(line, rows)
    assert line.told == []


def test_a_test_through_another_provider_is_left_out(tmp_path: Path) -> None:
    line = begun(tmp_path, EXPECT_ISP="Telekom", **SLOW)
    rows = [good_row(START + SLOT * number, 50, raw={"isp": "Mobile Ltd"}) for number in range(1, 5)]
    after(line, rows)
    assert line.told == []


def test_slow_may_be_a_share_of_the_plan_and_an_upload(tmp_path: Path) -> None:
    line = begun(tmp_path, ALERT_BELOW_PERCENT="80", PLAN_DOWNLOAD_MBPS="250", PLAN_UPLOAD_MBPS="40")
    after(line, [good_row(START + SLOT * number, 240, 30) for number in range(1, 4)])
    assert "Limit: 200 Mbit/s download and 32.0 Mbit/s upload" in text(line)


@pytest.mark.slow
def test_slower_than_usual_compares_with_the_same_hours_of_four_weeks(tmp_path: Path) -> None:
    line = ToldLine(tmp_path, ALERT_BELOW_USUAL_PERCENT="70")
    evening = utc(2026, 11, 23, 19, 0, 0)
    for day in range(1, 15):  # slow evenings are usual here, fast mornings too
        line.keep(*(good_row(evening - timedelta(days=day) + SLOT * number, 100) for number in range(3)))
        line.keep(*(good_row(evening - timedelta(days=day, hours=9) + SLOT * number, 400) for number in range(3)))
    line.run(evening - timedelta(hours=12))
    morning = evening - timedelta(hours=9)
    after(line, [good_row(evening + SLOT * number, 98) for number in range(4)])
    assert line.subjects == ["home: days are not converted"]  # no conversion runs here
    line = ToldLine(tmp_path / "again", ALERT_BELOW_USUAL_PERCENT="70")
    shutil.copytree(tmp_path / "results", tmp_path / "again/results", dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "again/results/outbox")
    line.run(morning - timedelta(hours=1))
    after(line, [good_row(morning + SLOT * number, 98) for number in range(3)])
    assert line.subjects[-1] == "home: slower than usual since 23 Nov 11:00"


@pytest.mark.parametrize(
    ("variable", "bad", "words"),
    [
        ("ALERT_ABOVE_LATENCY_MS", {"latency_ms": 80.0}, "high latency since"),
        ("ALERT_ABOVE_BUFFERBLOAT_MS", {"upload_latency_ms": 300.0}, "high latency under load since"),
        ("ALERT_ABOVE_LOSS_PERCENT", {"probes_sent": 100, "probes_lost": 90}, "packet loss since"),
    ],
)
def test_latency_bufferbloat_and_loss_have_limits(
    tmp_path: Path, variable: str, bad: dict[str, float], words: str
) -> None:
    line = begun(tmp_path, **{variable: "50"})
    after(line, [good_row(START + SLOT * number, 250, 40, **bad) for number in range(1, 5)])
    after(line, [good_row(START + SLOT * number) for number in range(5, 9)])
    assert [event.phase for event in line.told] == ["began", "ended"]
    assert words in line.subjects[0]


def test_tests_that_fail_while_the_line_is_up_are_told_with_the_programs_words(tmp_path: Path) -> None:
    line = begun(tmp_path)
    after(line, [failed(START + SLOT * n, LOCATION, "cannot\x1b[2J open socket", line="up") for n in range(1, 5)])
    assert line.subjects == ["home: tests fail since 23 Nov 11:10"]
    assert "ookla (exit): cannot\\x1b[2J open socket" in text(line)
    after(line, [good_row(START + SLOT * number) for number in range(5, 9)])
    assert line.subjects[1] == "home: tests succeed again since 23 Nov 11:50"


def test_a_failure_is_no_news_if_a_retry_succeeded_or_the_line_was_down(tmp_path: Path) -> None:
    line = begun(tmp_path)
    for number in range(1, 6):
        due = START + SLOT * number
        line.keep(failed(due, LOCATION, started_at=due, attempt=1))
        line.keep(good_row(due, started_at=due + timedelta(seconds=30), attempt=2))
        line.run(due + timedelta(minutes=1))
    after(line, [failed(START + SLOT * number, LOCATION, line="down") for number in range(6, 12)])
    assert line.told == []


def test_a_retry_that_comes_after_the_child_ran_takes_its_slots_failure_back(tmp_path: Path) -> None:
    line = begun(tmp_path)
    for number in range(1, 6):
        due = START + SLOT * number
        after(line, [failed(due, LOCATION, started_at=due, attempt=1)])
        after(line, [good_row(due, started_at=due + timedelta(seconds=30), attempt=2)])
    assert line.told == []


def test_an_outage_is_told_with_its_place_and_length_when_the_line_is_up_again(tmp_path: Path) -> None:
    line = begun(tmp_path)
    start = START + timedelta(minutes=3)
    line.watch(start + timedelta(seconds=200), "down", start, [lasting(start, start + timedelta(seconds=200))])
    line.run(start + timedelta(seconds=200))
    assert line.told == []  # the line is down: it waits
    assert [event.subject for event in line.waiting()] == ["home: line down since 23 Nov 11:03"]
    break_line(line, start, 252)
    assert line.subjects == ["home: line down since 23 Nov 11:03", "home: line up again after 4 min 12 s"]
    assert "Where: behind the router" in text(line)
    assert "Down since: Mon 23 Nov 2026 11:03:00 (Europe/Berlin)" in text(line, 1)
    assert "Up since: Mon 23 Nov 2026 11:07:12 (Europe/Berlin)" in text(line, 1)
    for minute in range(30):
        line.run(START + timedelta(minutes=20 + minute))
    assert len(line.told) == 2


def test_an_outage_shorter_than_alert_after_seconds_is_not_told(tmp_path: Path) -> None:
    line = begun(tmp_path, ALERT_AFTER_SECONDS="60")
    break_line(line, START + timedelta(minutes=3), 59)
    assert line.told == []
    break_line(line, START + timedelta(minutes=8), 61)
    assert len(line.told) == 2


def test_an_outage_that_no_child_saw_is_told_from_its_row_and_one_of_before_is_history(tmp_path: Path) -> None:
    line = ToldLine(tmp_path)
    line.keep(outage(START - timedelta(hours=2), 600))
    line.run(START)
    assert line.told == []
    line.keep(outage(START + timedelta(minutes=3), 600))
    line.run(START + timedelta(hours=3))
    assert [event.phase for event in line.told] == ["began", "ended"]


def test_an_outage_whose_row_is_lost_ends_all_the_same(tmp_path: Path) -> None:
    line, start = begun(tmp_path), START + timedelta(minutes=3)
    during = start + timedelta(minutes=5)
    line.watch(during, "down", start, [lasting(start, during)])
    line.run(during)
    line.watch(during + timedelta(minutes=10), "up", during + timedelta(minutes=1))
    line.run(during + timedelta(minutes=10))
    assert line.subjects[1] == "home: line up again after 6 min"


def schedule(line: ToldLine, gigabytes: float, now: datetime) -> None:
    used = {"bytes_by_month": {f"{now:%Y-%m}": round(gigabytes * 10**9)}}
    (line.settings.result_dir / ".schedule.json").write_text(json.dumps(used))


def test_the_data_budget_is_told_at_80_and_100_percent_and_when_tests_go_on(tmp_path: Path) -> None:
    line = begun(tmp_path, DATA_BUDGET_GB_PER_MONTH="100")
    for number, gigabytes in enumerate((79, 81, 95, 101, 101), 1):
        schedule(line, gigabytes, START)
        line.run(START + SLOT * number)
    assert line.subjects == ["home: 80 % of the data budget used", "home: 100 % of the data budget used"]
    line.run(utc(2026, 12, 2))
    assert line.subjects[2:] == ["home: tests go on"]


@pytest.mark.parametrize("name", ["channels.json", "conditions.json", "silence.json", ".wake.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\x00"])
def test_a_note_that_is_not_valid_stops_no_alert(tmp_path: Path, name: str, content: bytes) -> None:
    line = begun(tmp_path)
    now = break_line(line, START + timedelta(minutes=3), 252)
    (line.outbox.folder / name).write_bytes(content)
    break_line(line, now + SLOT, 252)
    assert [event.phase for event in line.told] == ["began", "ended"] * 2


def test_a_clock_that_was_years_ahead_silences_nothing_when_it_is_right_again(tmp_path: Path) -> None:
    with HttpReceiver() as switch:
        line = ToldLine(tmp_path, PING_URL=f"http://{switch.address}/uuid", ALERT_DIGEST="daily 08:00")
        wrong = START + timedelta(days=900)
        line.run(wrong)
        line.refuses = True
        line.keep(good_row(wrong))
        silence.write(line.outbox, wrong + timedelta(hours=2))
        line.run(wrong + timedelta(days=1))
        line.refuses = False
        break_line(line, START, 252)
        line.keep(good_row(START + SLOT))
        line.run(START + SLOT + timedelta(minutes=1))
        assert switch.calls == 2
        assert [event.phase for event in line.of("line")] == ["began", "ended"]
        line.run(START + timedelta(days=1))
        assert any(event.at < START + timedelta(days=1) for event in line.of("digest"))


def test_a_disk_that_refuses_rows_is_told(tmp_path: Path) -> None:
    line = begun(tmp_path)
    for minute, waiting in enumerate((0, 3, 4, 0), 1):
        beat = Heartbeat(
            pid=1,
            interval_seconds=600,
            timeout_seconds=120,
            next_due=START,
            next_due_monotonic=0,
            rows_waiting=waiting,
        )
        heartbeat.write(beat, line.settings.result_dir)
        line.run(START + timedelta(minutes=minute))
    assert line.subjects == ["home: the disk refuses rows", "home: the disk takes rows again"]
    assert "Waiting: 3 rows" in text(line)


def test_a_damaged_file_of_the_lake_is_told_and_holds_up_nothing_that_needs_no_rows(tmp_path: Path) -> None:
    line = begun(tmp_path)
    day = line.settings.upload_dir / "location=home" / "year=2026" / "month=11" / "day=22"
    day.mkdir(parents=True)
    path = day / "speedtest_001.parquet"
    path.write_bytes(b"PAR1 torn PAR1")
    down = START + timedelta(minutes=3)
    line.watch(down, "down", START, [lasting(START, down)])
    with pytest.raises(Damaged):
        line.run(down)
    up = down + timedelta(minutes=2)
    line.watch(up, "up", down)
    with pytest.raises(Damaged):
        line.run(up)
    assert line.subjects == [
        "home: line down since 23 Nov 11:00",
        "home: a file of the lake cannot be read",
        "home: line up again after 3 min",
    ]
    assert str(path) in text(line, 1)
    path.unlink()
    line.run(down + SLOT)
    assert line.subjects[3:] == ["home: the lake can be read again"]


@pytest.mark.slow
def test_a_damaged_file_that_only_the_digest_reads_holds_up_nothing_else(tmp_path: Path) -> None:
    line = begun(tmp_path, ALERT_DIGEST="monday 08:00")
    after(line, [good_row(utc(2026, 11, 29, 23, 0))])
    day = line.settings.upload_dir / "location=home" / "year=2026" / "month=11" / "day=25"
    day.mkdir(parents=True)
    (day / "speedtest_001.parquet").write_bytes(b"PAR1 torn PAR1")
    line.run(utc(2026, 11, 30, 5, 0))
    assert line.told == []
    for minute in (1, 2):
        with pytest.raises(Damaged):
            line.run(utc(2026, 11, 30, 7, minute))
    assert sorted(line.subjects) == ["home: a file of the lake cannot be read", "home: days are not converted"]


def test_a_day_that_is_not_converted_for_hours_is_told(tmp_path: Path) -> None:
    line = begun(tmp_path)
    line.keep(good_row(START + SLOT))
    line.run(utc(2026, 11, 24, 5, 59))
    assert line.told == []
    line.run(utc(2026, 11, 24, 6, 1))
    assert line.subjects == ["home: days are not converted"]
    shutil.rmtree(line.settings.result_dir / "year=2026")
    line.run(utc(2026, 11, 24, 7, 0))
    assert line.subjects[1] == "home: days are converted again"


def test_a_delivery_that_needs_a_person_is_told(tmp_path: Path) -> None:
    line = begun(tmp_path, DELIVER_TO="s3://bucket")
    for minute, trouble in enumerate(("settings", "settings", None), 1):
        note = DeliveryNote(
            store="s3://bucket",
            ended=START,
            waiting=2,
            waiting_since=START.date(),
            trouble=trouble,
            why="the key is wrong",
        )
        delivery_note.write(note, line.settings.result_dir)
        line.run(START + timedelta(minutes=minute))
    assert line.subjects == ["home: delivery fails", "home: delivery works again"]
    assert "the key is wrong" in text(line)


def test_new_files_in_quarantine_are_told_once(tmp_path: Path) -> None:
    line = ToldLine(tmp_path)
    folder = line.settings.result_dir / "quarantine/year=2026"
    folder.mkdir(parents=True)
    (folder / "old.csv").touch()
    line.run(START)
    for name in ("a.csv", "b.csv"):
        (folder / name).touch()
    line.run(START + SLOT)
    line.run(START + 2 * SLOT)
    assert line.subjects == ["home: 2 files moved to quarantine"]


def test_a_digest_comes_at_its_local_hour_with_six_figures_and_the_report(tmp_path: Path) -> None:
    line = ToldLine(tmp_path, ALERT_DIGEST="daily 08:00")
    line.run(START)
    keep([good_row(START + SLOT * number, 250) for number in range(1, 40)], line.settings.result_dir)
    line.run(utc(2026, 11, 24, 6, 59))  # 07:59 in Berlin
    assert line.of("digest") == []
    line.refuses = True
    line.run(utc(2026, 11, 24, 7, 1))
    (event,) = (each for each in line.waiting() if each.kind == "digest")
    assert "<html" in line.outbox.report(event.id).read_text()
    line.refuses = False
    for minute in range(5, 60, 10):
        line.run(utc(2026, 11, 24, 7, minute))
    (told,) = line.of("digest")
    assert told.subject == "home: Mon 23 Nov 2026"
    assert [name.split(":")[0] for name in told.text.splitlines()[2:8]] == [
        "Download",
        "Upload",
        "Latency",
        "Availability",
        "Outages",
        "Tests",
    ]
    assert "Download: 250 Mbit/s (median)" in told.text
    assert not line.outbox.report(event.id).exists()


def test_while_alerts_are_silenced_nothing_is_told_and_what_still_lasts_is_told_afterwards(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    line.outbox.replace("silence.json", {"until": START + timedelta(hours=2)})
    break_line(line, START + timedelta(minutes=1), 300)
    measure(line, [20] * 6, START + timedelta(minutes=10))
    assert line.told == []
    line.run(START + timedelta(hours=2, minutes=1))
    assert line.subjects == ["home: slow since 23 Nov 11:20"]


def test_in_quiet_hours_alerts_wait_if_they_shall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    line = begun(tmp_path, QUIET_HOURS="10:00-12:00", ALERT_QUIET="1")
    break_line(line, START + timedelta(minutes=1), 300)
    assert line.told == []
    line.run(START + timedelta(minutes=59))
    assert line.told == []
    line.run(START + timedelta(hours=1, minutes=1))
    assert len(line.told) == 2
    monkeypatch.undo()
    time.tzset()


def test_a_channel_that_refuses_is_tried_again_later_and_later_and_in_order(tmp_path: Path) -> None:
    line = begun(tmp_path)
    line.refuses = True
    now = break_line(line, START + timedelta(minutes=1), 300)
    note = line.outbox.notes()[line.digest]
    assert (note.refusals, note.words) == (1, "busy")
    waits = list[int]()
    for _ in range(8):
        wake = msgspec.json.decode((line.outbox.folder / ".wake.json").read_bytes(), type=datetime)
        waits.append(round((wake - now).total_seconds() / 60))
        line.run(wake - timedelta(seconds=1))
        now = wake
        line.run(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert line.outbox.notes()[line.digest].refusals == 9
    line.refuses = False
    break_line(line, now + timedelta(minutes=5), 300)  # the line came up: the channel is tried at once
    assert [event.phase for event in line.told] == ["began", "ended"] * 2


def test_what_a_channel_has_not_taken_in_seven_days_is_given_up(tmp_path: Path) -> None:
    line = begun(tmp_path)
    line.refuses = True
    now = break_line(line, START + timedelta(minutes=1), 300)
    line.run(now + timedelta(days=6, hours=23))
    assert [event.kind for event in line.waiting()[:2]] == ["line", "line"]
    line.run(now + timedelta(days=7, hours=2))
    assert [event.kind for event in line.waiting()] == ["conversion"]  # which began later


def test_a_channel_that_is_set_later_is_told_what_lasts_and_nothing_of_before(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    line.refuses = True
    break_line(line, START + timedelta(minutes=1), 300)
    now = measure(line, [20] * 4, START + timedelta(minutes=10))
    later = ToldLine(tmp_path, **SLOW, ALERT_URLS="json://127.0.0.2/")
    later.run(now + SLOT)
    assert later.told == []  # each condition is told once
    assert later.waiting() == []  # nobody waits for the events of a channel that is gone


def test_a_clock_that_is_set_back_invents_nothing(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    now = measure(line, [20, 20, 20, 20], START)
    break_line(line, now + timedelta(minutes=1), 300)
    assert len(line.told) == 3
    for hour in range(6):
        line.run(START - timedelta(hours=hour))
        line.run(now + timedelta(hours=hour))
    assert len(line.told) == 3


def test_skipped_slots_say_nothing(tmp_path: Path) -> None:
    line = begun(tmp_path, **SLOW)
    line.keep(*(skipped(START + SLOT * number, LOCATION) for number in range(1, 9)))
    line.run(START + SLOT * 10)
    assert line.told == []


def test_a_random_year_of_states_begins_and_ends_each_outage_once(tmp_path: Path) -> None:
    line, numbers, now = begun(tmp_path), random.Random(15), START
    lengths = [numbers.choice([30, 59, 60, 61, 300, 4000]) for _ in range(12)]
    for length in lengths:
        now = break_line(line, now + timedelta(minutes=numbers.randrange(1, 200)), length)
    told = [event.phase for event in line.of("line")]
    assert told == ["began", "ended"] * sum(length >= 60 for length in lengths)
