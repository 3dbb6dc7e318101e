"""A long period is read in pieces. Its figures are those of the same rows in one piece, wherever the borders lie."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from samples import HOME, utc

from speedtest.figures.rows import COLUMNS, Pieces
from speedtest.figures.summary import summarise
from speedtest.figures.types import Plan, Question, Summary

SINCE = utc(2026, 3, 27)
PLAN = Plan(50, 5)
TYPES = {
    "timestamp": "datetime64[us, UTC]",
    "started_at": "datetime64[us, UTC]",
    "slot": "datetime64[us, UTC]",
    "data_bytes": "Int64",
    "attempt": "Int32",
    "vpn": "boolean",
    "interval_seconds": "float64",
    "duration_seconds": "float64",
    "watched_seconds": "float64",
    "down_seconds": "float64",
    "server_d": "float64",
    "probes_sent": "Int64",
    "probes_lost": "Int64",
    "other_bytes": "Int64",
}
TEXTS = {
    "status": ["ok", "ok", "ok", "failed", "failed", "skipped", "outage", "outage", "odd", None],
    "engine": ["ookla", "librespeed", "iperf3", None],
    "engine_version": ["1", "2", None],
    "error_kind": ["exit", "timeout", "rate-limited", "parse", "quiet-hours", None],
    "error": ["no route", "refused", "ended", "", None],
    "timezone": ["Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles", "No/Such", None],
    "server_id": ["1", "2", "", None],
    "server_name": ["Bern", "Basel", None],
    "isp": ["Fibre", "LTE", None],
    "external_ip": ["192.0.2.1", "192.0.2.2", None],
    "line": ["up", "down", None],
    "link": ["ethernet", "wifi", "tunnel", None],
}
WHOLE = ["duration_seconds", "watched_seconds", "down_seconds", "server_d", "probes_sent", "probes_lost", "other_bytes"]
"""Columns of numbers whose sums do not depend on their order."""
NUMBERS = [name for name in COLUMNS if name.endswith(("_mbps", "_ms", "_percent"))]
STEPS = [timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=7), timedelta(days=3), timedelta(days=40)]


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """Return random rows in time order. Their slots may be those of other rows, or in another order."""
    step = draw(st.sampled_from(STEPS))
    row = {name: st.sampled_from(texts) for name, texts in TEXTS.items()}
    row |= {name: st.one_of(st.none(), st.integers(0, 3), st.floats(0, 100, width=16)) for name in NUMBERS}
    row |= {
        **{name: st.one_of(st.none(), st.integers(0, 600)) for name in WHOLE},
        "place": st.integers(0, 15),
        "slot": st.one_of(st.none(), st.integers(-1, 1), st.integers(0, 15)),
        "interval_seconds": st.sampled_from([step.total_seconds(), 600.0, 0.0, None]),
        "data_bytes": st.one_of(st.none(), st.integers(0, 10**10)),
        "vpn": st.sampled_from([True, False, None]),
    }
    rows: list[dict[str, Any]] = draw(
        st.lists(st.fixed_dictionaries(row), min_size=draw(st.sampled_from([0, 12])), max_size=25)
    )
    for each in sorted(rows, key=lambda each: each["place"]):
        each["timestamp"] = each["started_at"] = SINCE + each["place"] * step
        slot = each["slot"]
        each["slot"] = None if slot is None else SINCE + (slot if slot > 1 else each["place"] + slot) * step
        each["attempt"], each["speedtest_address"] = 1, HOME
    in_order = sorted(rows, key=lambda each: each["place"])
    columns = {name: [each[name] for each in in_order] for name in COLUMNS}
    return pd.DataFrame(columns).astype(
        {name: TYPES.get(name, "float64" if name in NUMBERS else "str") for name in COLUMNS}
    )


def summary(rows: pd.DataFrame, asked: Question, borders: Sequence[datetime]) -> Summary:
    def read(since: datetime, until: datetime) -> pd.DataFrame:
        return rows[(rows["timestamp"] >= since) & (rows["timestamp"] < until)]

    return summarise(Pieces(read, borders), asked, PLAN)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(
    frames(),
    st.lists(st.floats(0, 1), min_size=1, max_size=6),
    st.sampled_from([timedelta(0), timedelta(hours=2)]),
    st.sampled_from([None, "Fibre"]),
)
def test_the_figures_do_not_depend_on_where_a_period_is_cut(
    rows: pd.DataFrame, cuts: list[float], before: timedelta, isp: str | None
) -> None:
    until = (rows["timestamp"].max().to_pydatetime() if len(rows) else SINCE) + timedelta(hours=1)
    asked = Question(HOME, SINCE - before, until, known_before=before > timedelta(0), isp=isp)
    borders = [SINCE, *(SINCE + cut * (until - SINCE) for cut in sorted(cuts)), until]
    whole = summary(rows, asked, [SINCE, until])
    assert msgspec.to_builtins(summary(rows, asked, borders)) == msgspec.to_builtins(whole)
    assert whole.rows == (rows["status"].fillna("") != "outage").sum()
    if isp is None:
        assert (whole.watch.outages_in_all if whole.watch else 0) == (rows["status"] == "outage").sum()
    assert sum(each.tests for each in whole.failures) == whole.failed == (rows["status"] == "failed").sum()


def test_each_piece_is_read_once_and_none_outside_the_rows() -> None:
    read: list[datetime] = []
    borders = [SINCE + number * timedelta(days=1) for number in range(8)]
    times = pd.Series([borders[2], borders[5]])

    def noted(since: datetime, until: datetime) -> pd.DataFrame:
        if len(found := times[(times >= since) & (times < until)]):
            read.append(since)
        return found.to_frame("timestamp")

    pieces = Pieces(noted, borders)
    assert pieces.ends() == (borders[2], borders[5])
    assert list(itertools.chain.from_iterable(piece["timestamp"] for piece in pieces)) == times.tolist()
    assert read == [borders[2], borders[5]]
