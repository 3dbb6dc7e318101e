"""`speedsnake demo` makes a year of plausible results in its own folder, with the real conversion."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from command import Terminal, speedsnake
from daemon import start, until, variables

from speedtest import sample_year
from speedtest.data import lake
from speedtest.engines import ENGINES
from speedtest.measurement import Measurement

pytestmark = pytest.mark.slow

NOW = datetime(2026, 3, 29, 12, 34, 56, tzinfo=UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a demo, made once for all tests here.

    It takes seconds because it is the real demo: a year of two lines, kept and converted day by day.
    """
    base = tmp_path_factory.mktemp("year")
    ended = speedsnake(base, "demo", "--no-page", RESULT_DIR="mine", UPLOAD_DIR="mine-too")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "rows of two lines over a year" in ended.stdout
    assert f"RESULT_DIR={base}/demo/results UPLOAD_DIR={base}/demo/uploads speedsnake status" in ended.stdout
    assert {path.name for path in base.iterdir()} == {"demo", "tools"}
    return base / "demo"


@pytest.fixture(scope="module")
def now(folder: Path) -> datetime:
    """Return the time at which the demo ends."""
    made = json.loads((folder / ".speedsnake-demo.json").read_text())["made"]
    return datetime.fromisoformat(made)


@pytest.fixture(scope="module")
def rows(folder: Path) -> pd.DataFrame:
    return lake.read(result_dir=folder / "results", upload_dir=folder / "uploads")


def test_all_of_it_is_converted_but_today_and_nothing_is_put_aside(
    folder: Path, now: datetime, rows: pd.DataFrame
) -> None:
    assert len(rows) == sum(1 for line in sample_year.LINES for _ in sample_year.rows(line, now))
    left = {path.parent.name for path in (folder / "results").rglob("*.csv")}
    assert left <= {f"day={now:%d}"}
    assert not (folder / "results/quarantine").exists()


def test_its_rows_are_marked_and_no_engine_is_called_so(rows: pd.DataFrame) -> None:
    assert set(rows.loc[rows["status"] != "outage", "engine"]) == {sample_year.ENGINE}
    assert rows["speedtest_address"].str.startswith("demo-").all()
    assert sample_year.ENGINE not in ENGINES


def test_it_ends_now_and_begins_a_year_ago(now: datetime, rows: pd.DataFrame) -> None:
    for _, line in rows.groupby("speedtest_address"):
        assert timedelta(0) <= now - line["timestamp"].max() < timedelta(minutes=90)
        assert timedelta(days=364) < now - line["timestamp"].min() < timedelta(days=367)


def test_there_is_something_to_see(now: datetime, rows: pd.DataFrame) -> None:
    home = rows[rows["speedtest_address"] == "demo-home"].set_index("timestamp")
    good = home[home["status"] == "ok"]
    local = good.tz_convert("Europe/Zurich")
    by_hour = local.groupby(pd.DatetimeIndex(local.index).hour)["download_mbps"].median()
    assert by_hour[21] < 0.75 * by_hour[5]
    monthly = good["download_mbps"].resample("10D").median()
    assert monthly.min() < 0.65 * monthly.max()
    assert 35 < (home.loc[now - timedelta(days=40.3) : now - timedelta(days=39.9), "status"] == "failed").sum() < 50
    gaps = home["slot"].dropna().diff()
    assert timedelta(days=1.9) < gaps.max() < timedelta(days=2.1)
    assert set(home["error_kind"].dropna()) >= {kind for kind, _, _ in sample_year.FAILURES}
    assert set(rows.loc[rows["status"] == "skipped", "error_kind"]) == {"busy", "quiet-hours"}
    assert (good["packet_loss_percent"] > 0).sum() > 100
    assert good["server_id"].nunique() == 2
    assert (good["upload_latency_ms"] > good["latency_ms"]).all()


def test_every_row_can_be_true(rows: pd.DataFrame) -> None:
    good = rows[rows["status"] == "ok"]
    assert (good[["download_mbps", "upload_mbps", "latency_ms", "data_bytes"]] > 0).all(axis=None)
    assert rows[rows["status"] != "ok"]["download_mbps"].isna().all()
    assert not rows[rows["slot"].notna()].duplicated(["speedtest_address", "slot"]).any()
    outages = rows[rows["status"] == "outage"]
    assert (outages["duration_seconds"] > 0).all()
    assert (rows["down_seconds"].dropna() <= rows.loc[rows["down_seconds"].notna(), "watched_seconds"]).all()
    assert outages["duration_seconds"].sum() == pytest.approx(rows["down_seconds"].sum(), rel=0.01)


def test_it_has_outages_of_all_places_days_over_wifi_and_busy_lines(rows: pd.DataFrame) -> None:
    home = rows[rows["speedtest_address"] == "demo-home"]
    assert set(home.loc[home["status"] == "outage", "error_kind"]) == {"beyond-router", "router", "link", "dns"}
    wifi = home[home["link"] == "wifi"]
    assert wifi["timestamp"].dt.date.nunique() >= 3
    assert wifi["download_mbps"].median() < 0.6 * home["download_mbps"].median()
    busy = home[home["other_bytes"] >= 0.1 * home["data_bytes"]]
    assert 200 < len(busy) < 3000


def test_the_same_instant_makes_the_same_rows() -> None:
    def some() -> Iterator[Measurement]:
        for line in sample_year.LINES:
            yield from list(sample_year.rows(line, NOW))[-500:]

    assert list(some()) == list(some())


def test_a_second_start_within_the_hour_uses_it_again(folder: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    assert speedsnake(folder.parent, "demo", "--no-page").returncode == 0
    assert {
        path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != ".lock"
    }.items() <= before.items()


def test_a_folder_that_holds_anything_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine/results").mkdir(parents=True)
    (tmp_path / "mine/results/row.csv").write_text("mine")
    ended = speedsnake(tmp_path, "demo", "--folder", "mine", "--no-page")
    assert (ended.returncode, ended.stdout) == (64, "")
    assert f"{tmp_path / 'mine'} contains files that are not from a demo: choose another folder" in ended.stderr
    assert [path.name for path in (tmp_path / "mine").rglob("*")] == ["results", "row.csv"]


def test_one_that_was_ended_halfway_or_is_old_is_made_anew(tmp_path: Path) -> None:
    """It takes seconds because a whole year is made once more: another demo would hide what is left of the first."""
    process = start(tmp_path, "demo", "--no-page", environment=variables(tmp_path))
    until(lambda: list(tmp_path.glob("demo/results/year=*")), "first rows")
    process.kill()
    process.wait()
    (tmp_path / "demo/uploads/location=old/year=2020/month=01/day=01").mkdir(parents=True)
    with Terminal(tmp_path, "demo", "--no-page") as terminal:
        terminal.until("converting")
        terminal.until("days")
        assert terminal.end() == 0
    found = lake.read(result_dir=tmp_path / "demo/results", upload_dir=tmp_path / "demo/uploads", columns=["slot"])
    assert len(found) > 60_000
    assert not (tmp_path / "demo/uploads/location=old").exists()
