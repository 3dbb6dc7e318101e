"""One stream of ndt7, each way, in a thread: what `http_test.phase` measures.

A download counts the bytes that have arrived. An upload counts what the far end's kernel has acknowledged (Linux), else
what the server reports that it has received. The server ends a direction after ten seconds.
"""

import contextlib
import os
import threading
import time
from typing import Literal, override

from speedtest.http_test import tcp_info
from speedtest.http_test.latency import RoundTrips, summarised
from speedtest.http_test.load import Counted, Stretch
from speedtest.http_test.trouble import Trouble
from speedtest.http_test.wire import Cut
from speedtest.ndt7_test.channel import CLOSE_SECONDS, Channel, cut_short, number, prepared

_READ_SECONDS = 0.1
_FIRST_MESSAGE, _LARGEST_MESSAGE = 1 << 13, 1 << 20
_GROWS_AFTER = 16
"""A message may become larger once sixteen of its size have been sent."""


class Stream:
    """One direction over one channel, from `start` to `stop`: a download, unless a subclass says otherwise."""

    counted: Counted = "received"

    def __init__(self, channel: Channel, direction: Literal["download", "upload"]) -> None:
        """Take an open channel."""
        self.channel = channel
        self.direction: Literal["download", "upload"] = direction
        self.trouble: Trouble | None = None
        self.cuts = 0
        self.trips: list[tuple[float, float]] = []
        """Round trips that the kernel saw: when, on the monotonic clock, and how many ms."""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def over(self) -> bool:
        """Whether the server has ended it in good order."""
        return self.channel.over

    def start(self) -> None:
        """Begin to move data."""
        self._thread.start()

    def stop(self) -> None:
        """End, and say goodbye."""
        self._stopping.set()
        self._thread.join()

    def moved(self) -> int:
        """Return the bytes moved so far."""
        return self.channel.received

    def spans(self) -> list[Stretch]:
        """Return nothing: no requests are counted."""
        return []

    def trips_since(self, since: float) -> RoundTrips | None:
        """Return the figures of the round trips after `since`, as the side that sends the load sees them."""
        trips = self.trips if self.direction == "upload" and self.trips else self.channel.trips
        found = [ms for at, ms in trips if at >= since]
        return summarised(found) if found else None

    def _run(self) -> None:
        try:
            self._move()
            self.channel.end()
        except Trouble as trouble:
            self.trouble = trouble
        except Cut as why:
            if not self._stopping.is_set():
                self.cuts = 1
                self.trouble = Trouble("exit", f"the {self.direction} was cut: {why}")
        finally:
            cut_short(self.channel.socket)

    def _move(self) -> None:
        while not self._stopping.is_set() and not self.over and self.channel.read(_READ_SECONDS):
            self._look()

    def _look(self) -> None:
        """Ask the kernel for the round trip, ten times a second."""
        now = time.monotonic()
        if self.trips and now - self.trips[-1][0] < _READ_SECONDS:
            return
        with contextlib.suppress(OSError):
            if trips := tcp_info.round_trips(self.channel.socket):
                self.trips.append((now, trips[0]))


class UploadStream(Stream):
    """Data to the server."""

    def __init__(self, channel: Channel) -> None:
        """Take an open channel."""
        super().__init__(channel, "upload")
        self.counted = "acknowledged" if tcp_info.counts() else "reported"
        self._acknowledged = 0

    @override
    def moved(self) -> int:
        """Return what the far end has, as its kernel or the server itself says."""
        if self.counted == "acknowledged":
            with contextlib.suppress(OSError):
                self._acknowledged = tcp_info.acknowledged(self.channel.socket)[0]
            return self._acknowledged
        told = self.channel.told
        counts = [(told.get("AppInfo") or {}).get("NumBytes"), (told.get("TCPInfo") or {}).get("BytesReceived")]
        return int(max((number(count) or 0.0) for count in counts))

    @override
    def _move(self) -> None:
        data = os.urandom(_LARGEST_MESSAGE)
        size, sent = _FIRST_MESSAGE, 0
        message = prepared(size, data)
        left, looked = message, 0.0
        while not self._stopping.is_set() and not self.over:
            wrote = self.channel.write(left, _READ_SECONDS)
            sent += wrote
            left = left[wrote:]
            if not left:
                if size < _LARGEST_MESSAGE and size * _GROWS_AFTER <= sent:
                    size *= 2
                    message = prepared(size, data)
                left = message
            if time.monotonic() - looked >= _READ_SECONDS:
                looked = time.monotonic()
                self._look()
                if not self.channel.read(0):
                    return
        self._finish(left)

    def _finish(self, left: memoryview) -> None:
        """Send the rest of a message, so that a goodbye may follow. Raises Cut if that takes too long."""
        end = time.monotonic() + CLOSE_SECONDS
        while left:
            if time.monotonic() > end:
                raise Cut("the last message could not be sent", began=True)
            left = left[self.channel.write(left, _READ_SECONDS) :]


class BesideStream:
    """The round trips beside a stream: both ends measure them anyway."""

    def __init__(self, stream: Stream) -> None:
        """Take the stream."""
        self._stream = stream

    def loaded(self) -> "BesideStream":
        """Begin: nothing is to be started."""
        return self

    def stop(self, since: float) -> RoundTrips | None:
        """Return the figures of the round trips after `since`, on the monotonic clock."""
        return self._stream.trips_since(since)
