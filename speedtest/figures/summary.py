"""The figures of one line over a period. The report, the page and other systems show the same figures.

Speeds are Mbit/s (10^6 bit/s), latencies ms, losses percent, shares percent. Quantiles interpolate linearly between
neighbours, like DuckDB's `quantile_cont`. Engines measure differently, so each has its own figures. Hours, days, weeks
and months are those of `figures.calendar`.

The number of figures does not grow with the number of rows.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from speedtest.figures import calendar, providers, slots
from speedtest.figures.slots import Outage, Slots
from speedtest.figures.types import (
    Bin,
    EngineFigures,
    Failures,
    Hour,
    Kept,
    Plan,
    Question,
    ServerFigures,
    Spread,
    Summary,
)

MOST_BINS = 120
MOST_ENGINES = 6
MOST_SERVERS = 20
MOST_OUTAGES = 20
PLAN_REACHED = 0.9
"""A test reaches the plan if it measures at least this part of it."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_WIDTHS = (10 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR)
_WIDTHS_IN_DAYS = (1, 2, 3, 7, 14, 30, 60, 91, 182, 365)

_MEASURED = [
    "timestamp",
    "download_mbps",
    "upload_mbps",
    "latency_ms",
    "jitter_ms",
    "packet_loss_percent",
    "download_latency_ms",
    "upload_latency_ms",
]
_SERVER = ["server_id", "server_name"]


def summarise(rows: pd.DataFrame, asked: Question, plan: Plan) -> Summary:
    """Return the figures that answer a question, computed from its rows (see `figures.rows`)."""
    failed = rows[rows["status"] == "failed"]
    counted, found = _slots(rows, asked)
    width, zone = bin_width(rows, asked), calendar.zone_of(rows)
    starts = calendar.starts(rows, width, zone)
    return Summary(
        location=asked.location,
        since=asked.since,
        until=asked.until,
        rows=len(rows),
        tests=int(_is_test(rows).sum()),
        failed=len(failed),
        by_hand=int(rows["slot"].isna().sum()),
        failed_by_hand=int(failed["slot"].isna().sum()),
        without_status=int((~rows["status"].isin(slots.STATUSES)).sum()),
        first=rows["timestamp"].iloc[0].to_pydatetime() if len(rows) else None,
        last=rows["timestamp"].iloc[-1].to_pydatetime() if len(rows) else None,
        slots=counted,
        uptime_percent=counted.uptime_percent,
        bin_seconds=width,
        engines=list(_engines(rows, starts, plan)),
        failures=list(_failures(failed, starts)),
        failures_by_kind=_counts(failed["error_kind"]),
        outages=slots.longest(found, MOST_OUTAGES, rows),
        outages_in_all=len(found) if counted.tested else None,
        data_bytes=int(rows["data_bytes"].sum()),
        bytes_by_month=_bytes_by_month(rows),
        intervals_seconds=sorted(float(value) for value in rows["interval_seconds"].dropna().unique())[:MOST_SERVERS],
        isp=asked.isp,
        far=asked.far,
        providers=providers.of(rows),
        zone=zone.key,
        timezones=sorted(str(zone) for zone in rows["timezone"].dropna().unique())[:MOST_SERVERS],
    )


def _is_test(rows: pd.DataFrame) -> pd.Series:
    return rows["status"].isin(("ok", "failed"))


def _slots(rows: pd.DataFrame, asked: Question) -> tuple[Slots, list[Outage]]:
    if asked.isp is not None:
        return Slots(), []
    by_slot = slots.by_slot(rows)
    return slots.count(by_slot, asked.since if asked.known_before else None, asked.until), slots.outages(by_slot)


def bin_width(rows: pd.DataFrame, asked: Question) -> int:
    """Return the width of a bin in seconds, so that the rows fill at most `MOST_BINS` bins."""
    first, last = (rows["timestamp"].iloc[0], rows["timestamp"].iloc[-1]) if len(rows) else (asked.since, asked.until)
    seconds = (last - first).total_seconds()
    widths = (*_WIDTHS, *(days * _DAY for days in _WIDTHS_IN_DAYS))
    return next((width for width in widths if seconds / width < MOST_BINS - 1), int(seconds // (MOST_BINS - 2)) + 1)


def _engines(rows: pd.DataFrame, starts: pd.Series, plan: Plan) -> Iterator[EngineFigures]:
    is_test, is_good = _is_test(rows), rows["status"] == "ok"
    names = [*rows.loc[is_good, "engine"].value_counts().index, *rows.loc[is_test, "engine"].value_counts().index]
    for name in list(dict.fromkeys(names))[:MOST_ENGINES]:
        is_its = is_test & (rows["engine"] == name)
        good = rows.loc[is_its & is_good, _MEASURED]  # only these: each column of a year takes half a megabyte
        local = calendar.hours_of_week(rows.loc[is_its & is_good, ["timestamp", "timezone"]])
        versions, number = rows.loc[is_its, "engine_version"].dropna().unique(), int(is_its.sum())
        yield EngineFigures(
            name=str(name),
            versions=sorted(map(str, versions))[:MOST_SERVERS],
            tests=number,
            failed=number - len(good),
            download=_spread(good["download_mbps"]),
            upload=_spread(good["upload_mbps"]),
            latency=_spread(good["latency_ms"]),
            jitter=_spread(good["jitter_ms"]),
            download_latency=_spread(good["download_latency_ms"]),
            upload_latency=_spread(good["upload_latency_ms"]),
            loss=_spread(good["packet_loss_percent"]),
            mean_loss_percent=_number(good["packet_loss_percent"].mean()),
            plan_download=_kept(good["download_mbps"], plan.download_mbps),
            plan_upload=_kept(good["upload_mbps"], plan.upload_mbps),
            bins=list(_bins(good, starts)),
            hours=list(_hours(good, [local % 24])),
            week=list(_hours(good, [local // 24, local % 24])),
            servers=list(_servers(good, rows.loc[is_its & is_good, _SERVER].fillna(""))),
        )


def _spread(values: pd.Series) -> Spread | None:
    there = values.dropna().to_numpy(dtype=float)
    return _spread_of(there) if there.size else None


def _spread_of(values: np.ndarray) -> Spread:
    low, median, high = np.quantile(values, [0.1, 0.5, 0.9]).tolist()
    return Spread(len(values), median, low, high, float(values.min()), float(values.max()))


def _kept(values: pd.Series, plan_mbps: float | None) -> Kept | None:
    spread = _spread(values)
    if plan_mbps is None or spread is None:
        return None
    return Kept(plan_mbps, 100 * float((values.dropna() >= PLAN_REACHED * plan_mbps).mean()), spread)


def _bins(good: pd.DataFrame, starts: pd.Series) -> Iterator[Bin]:
    for start, members in good.groupby(starts[good.index]):
        yield Bin(
            start=datetime.fromtimestamp(float(start), UTC),
            tests=len(members),
            download=_spread(members["download_mbps"]),
            upload=_spread(members["upload_mbps"]),
            latency_ms=_number(members["latency_ms"].median()),
            download_latency_ms=_number(members["download_latency_ms"].median()),
            upload_latency_ms=_number(members["upload_latency_ms"].median()),
            packet_loss_percent=_number(members["packet_loss_percent"].mean()),
        )


def _hours(good: pd.DataFrame, keys: list[pd.Series]) -> Iterator[Hour]:
    figures = good.groupby(keys)[["download_mbps", "upload_mbps", "latency_ms"]].median()
    tests = good.groupby(keys).size()
    for key, (download, upload, latency), number in zip(tests.index, figures.to_numpy(), tests, strict=True):
        weekday, hour = key if isinstance(key, tuple) else (None, key)
        yield Hour(
            None if weekday is None else int(weekday), int(hour), number, *map(_number, (download, upload, latency))
        )


def _servers(good: pd.DataFrame, known: pd.DataFrame) -> Iterator[ServerFigures]:
    by_server = good.groupby([known["server_id"], known["server_name"]])
    columns = ["download_mbps", "upload_mbps", "latency_ms"]
    figures = by_server[columns].median().assign(tests=by_server.size()).reset_index()
    for line in figures.nlargest(MOST_SERVERS, "tests").to_dict("records"):
        medians = (_number(line[column]) for column in columns)
        yield ServerFigures(line["server_id"] or None, line["server_name"] or None, int(line["tests"]), *medians)


def _failures(failed: pd.DataFrame, starts: pd.Series) -> Iterator[Failures]:
    for start, members in failed.groupby(starts[failed.index]):
        kinds = [str(kind) for kind in members["error_kind"].value_counts().index[:MOST_ENGINES]]
        yield Failures(datetime.fromtimestamp(float(start), UTC), len(members), kinds)


def _bytes_by_month(rows: pd.DataFrame) -> dict[str, int]:
    """Return the bytes of each month, by "YYYY-MM".

    Months stay numbers until the end, because a text for each row would take 15 MB for a year.
    """
    sums = rows["data_bytes"].groupby(calendar.months(rows)).sum(min_count=1).dropna()
    months = zip(sums.index.tolist(), sums.tolist(), strict=True)
    return {calendar.name(month): int(total) for month, total in list(months)[-MOST_BINS:]}


def _counts(values: pd.Series) -> dict[str, int]:
    return {str(value): int(number) for value, number in values.value_counts().head(MOST_SERVERS).items()}


def _number(value: float) -> float | None:
    """Return the figure, None if it is NaN."""
    return None if pd.isna(value) else float(value)
