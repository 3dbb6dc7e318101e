"""Months, weeks, days and hours, for all views: by the wall clock in the time zone of each row.

A row without a zone, or with one that this machine does not know, counts by `TZ`, else by the machine's zone. The
line's zone is that of its newest row. Weeks begin on Monday. The daemon counts its budget by `TZ` alone
(`daemon.schedule.month`), which is the zone that it writes into its rows.
"""

import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from speedtest import environment
from speedtest.values import names

_DAY_SECONDS = 86400
_LAST_SECOND = 2**32 - 1
_MONTHS = 12
_MONDAY = 4
"""1970-01-05 was a Monday."""
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (a wall time)


def zone_of(rows: pd.DataFrame) -> ZoneInfo:
    """Return the line's zone: that of the newest row that names one. Needs the column `timezone`, in time order."""
    named = rows["timezone"].dropna()
    return zone(named.iloc[-1] if len(named) else None)


def zone(name: str | None) -> ZoneInfo:
    """Return the zone of this name, else that of `TZ`, else this machine's, else UTC."""
    for each in (name, environment.value("TZ", os.environ), names.machine_zone()):
        try:
            if each:
                return ZoneInfo(each)
        except (KeyError, OSError, ValueError):  # this machine does not know it: a hostile row, or a newer database
            continue
    return ZoneInfo("UTC")


def wall(rows: pd.DataFrame) -> pd.Series:
    """Return the wall time of each row, without a zone. Needs the columns `timestamp` and `timezone`."""
    zones = rows["timezone"].fillna("")
    times = pd.Series(pd.NaT, index=rows.index, dtype=rows["timestamp"].dt.tz_localize(None).dtype)
    for name in zones.unique():
        members = zones == name
        times[members] = rows.loc[members, "timestamp"].dt.tz_convert(zone(name or None)).dt.tz_localize(None)
    return times


def hours_of_week(rows: pd.DataFrame) -> pd.Series:
    """Return the hour of each row's week, from 0 (Monday, 00:00 to 01:00) to 167."""
    times = wall(rows).dt
    return times.day_of_week * 24 + times.hour


def seconds(rows: pd.DataFrame) -> np.ndarray:
    """Return the time of each row as whole seconds since 1970, in four bytes; one that does not fit as the nearest."""
    since = rows["timestamp"].astype("datetime64[s, UTC]").astype("int64").to_numpy()
    return np.clip(since, 0, _LAST_SECOND).astype(np.uint32)


def months(rows: pd.DataFrame) -> pd.Series:
    """Return the month of each row, as a number that `name` writes."""
    times = wall(rows).dt
    return times.year * _MONTHS + times.month - 1


def month(instant: datetime, zone: ZoneInfo) -> int:
    """Return the month of an instant in a zone, as a number that `name` writes."""
    local = instant.astimezone(zone)
    return local.year * _MONTHS + local.month - 1


def name(number: int) -> str:
    """Return a month as `YYYY-MM`."""
    return f"{number // _MONTHS:04}-{number % _MONTHS + 1:02}"


def bins(rows: pd.DataFrame, width: int) -> pd.Series:
    """Return the bin of each row, of `width` seconds: a number of seconds since 1970 that `start` makes an instant.

    Bins of whole days are days of a wall clock, and those of whole weeks begin on a Monday. Shorter ones have the same
    length over every change of the clocks.
    """
    if width % _DAY_SECONDS:
        return rows["timestamp"].astype("datetime64[s, UTC]").astype("int64") // width * width
    number = width // _DAY_SECONDS
    days = wall(rows).astype("datetime64[s]").astype("int64") // _DAY_SECONDS
    return ((days - _MONDAY) // number * number + _MONDAY) * _DAY_SECONDS


def start(bin_: int, width: int, zone: ZoneInfo) -> datetime:
    """Return when a bin begins. One of whole days begins at midnight in a zone."""
    if width % _DAY_SECONDS:
        return datetime.fromtimestamp(bin_, UTC)
    return (_EPOCH + timedelta(seconds=bin_)).replace(tzinfo=zone).astimezone(UTC)
