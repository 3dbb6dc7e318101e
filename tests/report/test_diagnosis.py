"""What points to a cause: the router's link below the plan, and one stream that reaches less than several."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from daemon import run
from msgspec.structs import replace
from samples import keep, utc
from views import INTERVAL, good

from speedtest.measurement import Measurement

START = utc(2026, 3, 27)
PLAN = {"PLAN_DOWNLOAD_MBPS": "50", "PLAN_UPLOAD_MBPS": "10"}


def lake(folder: Path, *, one_stream: float = 40.0, link: str | None = "41.957", seconds: int = 8) -> Path:
    """Keep a day of tests of several streams at 95 Mbit/s, and some of one stream, the last of which failed."""
    rows: list[Measurement] = []
    for number in range(144):
        row = good(START + number * INTERVAL, download_mbps=95.0, upload_mbps=12.0)
        told = {"router_link_down_mbps": link, "router_link_up_mbps": "10.192"}
        rows.append(replace(row, raw=row.raw | (told if link else {})))
    for number in range(seconds):
        due = START + number * INTERVAL + timedelta(minutes=3)
        row = good(due, download_mbps=one_stream, upload_mbps=11.9, engine="ndt7")
        rows.append(replace(row, slot=None, attempt=None, interval_seconds=None))
    last = replace(rows[-1], status="failed", error_kind="exit", error="x", download_mbps=None, upload_mbps=None)
    rows.append(replace(last, timestamp=START + timedelta(hours=23, minutes=58), raw={}))
    keep(rows, folder / "results")
    return folder


def report(folder: Path, *arguments: str) -> str:
    ended = run(folder, "report", *arguments, programs=None, RESULT_DIR="results", UPLOAD_DIR="uploads", **PLAN)
    assert ended.returncode == 0, ended.stderr
    return " ".join(ended.stdout.split())


@pytest.mark.slow
def test_a_link_below_the_plan_is_told_and_one_stream_is_a_diagnosis_and_no_average(tmp_path: Path) -> None:
    told = report(lake(tmp_path))
    assert "The router's link rate is below the plan: 42.0 Mbit/s down and 10.2 Mbit/s up" in told
    assert "One stream (ndt7) reaches 40.0 of the 95.0 Mbit/s down that ookla measures" in told
    assert "loss on the way or to a limit for each connection" in told
    assert "11.9 of the 12.0 Mbit/s up" in told
    assert "That is no sign of loss" in told
    answer = json.loads(report(tmp_path, "--json"))[0]
    several, one = answer["engines"]
    assert (several["name"], several["tests"], several["download"]["median"]) == ("ookla", 144, 95.0)
    assert (one["name"], one["tests"], one["download"]["median"]) == ("ndt7", 9, 40.0)
    assert (several["plan_download"]["share"], one["plan_download"]) == (100.0, None)
    assert answer["slots"]["failed"] == 0
    assert answer["router"] == {"tests": 144, "down_mbps": 41.957, "up_mbps": 10.192, "below_plan": True}


@pytest.mark.slow
def test_where_nothing_points_to_a_cause_nothing_is_said(tmp_path: Path) -> None:
    told = report(lake(tmp_path, link=None, seconds=3))
    assert "router's link" not in told
    assert "One stream" not in told


@pytest.mark.slow
def test_the_state_of_a_line_is_not_that_of_a_second_opinion(tmp_path: Path) -> None:
    lake(tmp_path)
    ended = run(tmp_path, "status", "--json", RESULT_DIR="results", UPLOAD_DIR="uploads")
    told = json.loads(ended.stdout)
    line = told[0] if isinstance(told, list) else told.get("lines", [told])[0]
    assert (line["last"]["engine"], line["last"]["status"]) == ("ookla", "ok")
    assert line["failures_in_a_row"] == 0
