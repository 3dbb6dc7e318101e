"""A line whose alerts are tried: its rows, what its watch sees, and real receivers on loopback."""

import asyncio
import contextlib
import email
import email.policy
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self, override

from aiosmtpd.smtp import SMTP, Envelope, Session
from samples import keep
from views import failed, good

from speedtest import environment
from speedtest.alerts import apprise_channel, channel, ping
from speedtest.alerts.channel import Channel, ChannelAnswer
from speedtest.alerts.outbox import AlertEvent, Outbox
from speedtest.alerts.run import run
from speedtest.data import watch_state
from speedtest.data.watch_state import LineOutage, SeenState, WatchState
from speedtest.engines import ENGINES
from speedtest.measurement import Measurement, UpOrDown
from speedtest.variables import REPORT

LOCATION = "home"
TOKEN = "t0psecret-token"  # noqa: S105 (what must appear nowhere)


class HttpReceiver:
    """Takes what Apprise's `json://` and PING_URL send. It refuses while `refuses` is set."""

    def __init__(self) -> None:
        self.bodies: list[tuple[str, bytes]] = []
        """Path and body of each call that was taken."""
        self.calls = 0
        self.refuses = False
        self.on_call: Callable[[], object] = lambda: None
        """Called when a call has been taken, before it is answered."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.calls += 1
                if not receiver.refuses:
                    receiver.bodies.append((self.path, body))
                receiver.on_call()
                self.send_response(503 if receiver.refuses else 200)
                with contextlib.suppress(OSError):  # the caller was killed
                    self.end_headers()

            @override
            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"json://{self.address}/{TOKEN}"

    @property
    def messages(self) -> list[dict[str, Any]]:
        """What `json://` sent."""
        return [json.loads(body) for _, body in self.bodies]

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.messages]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class MailReceiver:
    """A mail server that keeps what it gets. It refuses while `refuses` is set."""

    def __init__(self) -> None:
        self.refuses = False
        self.mails: list[EmailMessage] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: ARG002, N802
        if self.refuses:
            return "451 try again later"
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, EmailMessage, policy=email.policy.default))
        return "250 taken"

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"mailto://127.0.0.1:{port}/?from=snake@example.net&to=me@example.net&mode=insecure&token={TOKEN}"

    @property
    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self.mails]

    def __enter__(self) -> Self:
        serving = self._loop.create_server(lambda: SMTP(self, loop=self._loop), "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(serving)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@dataclass
class AlertedLine:
    """The folders of a line, and the settings of its alerts."""

    folder: Path
    channels: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environment = {
            "RESULT_DIR": str(self.folder / "results"),
            "UPLOAD_DIR": str(self.folder / "uploads"),
            "SPEEDTEST_LOCATION_UUID": LOCATION,
            "SLEEP_SECONDS": "600",
            "TZ": "Europe/Berlin",
            "ALERT_URLS": " ".join(self.channels),
        } | self.variables
        self.settings = environment.read(self.environment, ENGINES, REPORT)
        self.settings.result_dir.mkdir(parents=True, exist_ok=True)
        self.outbox = Outbox(self.settings.result_dir)

    def run(self, now: datetime) -> None:
        """Let the child run once, at this time. Its messages go to their channels by Apprise."""
        run(self.settings, now, apprise_channel.send, call)

    def keep(self, *rows: Measurement) -> None:
        """Save rows as the daemon does."""
        keep(list(rows), self.settings.result_dir)

    def watch(self, now: datetime, state: SeenState, since: datetime, outages: Iterable[LineOutage] = ()) -> None:
        """Let the watch see this now."""
        seen = WatchState(
            seen=now, location=LOCATION, interval_seconds=10, state=state, since=since, open=list(outages)
        )
        watch_state.write(seen, self.settings.result_dir)

    def waiting(self) -> list[AlertEvent]:
        """Return the events in the outbox."""
        return self.outbox.waiting()

    def files(self) -> str:
        """Return the text of all files in the outbox, for a look for secrets."""
        return "".join(path.read_text() for path in self.outbox.folder.iterdir() if path.is_file())


class ToldLine(AlertedLine):
    """A line whose one channel is a list. Apprise, which takes seconds to load, is not asked."""

    def __init__(self, folder: Path, **variables: str) -> None:
        super().__init__(folder, ("json://127.0.0.1/",), variables)
        self.told: list[AlertEvent] = []
        self.refuses = False

    @override
    def run(self, now: datetime) -> None:
        run(self.settings, now, self._take, call)

    @property
    def digest(self) -> str:
        """The name of the channel in files."""
        return channel.all_of(self.settings.alert_urls)[0].digest

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.told]

    def of(self, kind: str) -> list[AlertEvent]:
        """Return what was told of a kind."""
        return [event for event in self.told if event.kind == kind]

    def _take(self, _channel: Channel, event: AlertEvent, _report: Path | None) -> ChannelAnswer:
        if not self.refuses:
            self.told.append(event)
        return ChannelAnswer(is_yes=not self.refuses, words="busy" if self.refuses else "taken")


def call(url: str, words: str, failed: bool) -> ChannelAnswer:  # noqa: FBT001 (the form of `run.Ping`)
    """Call PING_URL as the child does."""
    return ping.send(url, words, failed=failed)


SLOT = timedelta(minutes=10)


def measure(line: AlertedLine, speeds: Iterable[float], start: datetime) -> datetime:
    """Let the line measure these downloads, one a slot, the child running after each; return the last time."""
    now = start
    for number, mbps in enumerate(speeds, 1):
        line.keep(good_row(start + SLOT * number, mbps))
        now = start + SLOT * number + timedelta(seconds=40)
        line.run(now)
    return now


def break_line(line: AlertedLine, start: datetime, seconds: float) -> datetime:
    """Let the line be down, the child running meanwhile and afterwards; return when it ran last."""
    during, end = start + timedelta(seconds=seconds * 0.9), start + timedelta(seconds=seconds)
    line.watch(during, "down", start, [lasting(start, during)])
    line.run(during)
    line.keep(outage(start, seconds))
    line.watch(end, "up", end)
    line.run(end + timedelta(seconds=5))
    return end + timedelta(seconds=5)


def good_row(
    due: datetime,
    download: float = 250.0,
    upload: float = 40.0,
    **more: Any,  # noqa: ANN401 (of any column)
) -> Measurement:
    """Return a good test of the line, with these speeds and nothing that makes it doubtful."""
    figures: dict[str, Any] = {
        "download_mbps": download,
        "upload_mbps": upload,
        "latency_ms": 12.0,
        "packet_loss_percent": 0.0,
    }
    figures |= {"download_latency_ms": 20.0, "upload_latency_ms": 22.0, "line": "up"}
    return good(due, LOCATION, **(figures | more))


def outage_id(start: datetime) -> str:
    """Return an id of an outage."""
    return f"{start:%Y%m%d%H%M%S}"


def lasting(start: datetime, now: datetime) -> LineOutage:
    """Return an outage as the watch sees it while it lasts."""
    return LineOutage(
        id=outage_id(start),
        place="beyond-router",
        started_at=start,
        seconds=(now - start).total_seconds(),
        words="no answer from 1.1.1.1, 8.8.8.8, 9.9.9.9; the router 192.168.1.1 answered",
        exact_seconds=10,
        started_elapsed=1000.0,
    )


def outage(start: datetime, seconds: float) -> Measurement:
    """Return the row of an outage that is over."""
    return Measurement(
        timestamp=start,
        started_at=start,
        status="outage",
        error_kind="beyond-router",
        error="no answer from 1.1.1.1, 8.8.8.8, 9.9.9.9; the router 192.168.1.1 answered",
        duration_seconds=seconds,
        interval_seconds=10,
        speedtest_address=LOCATION,
        timezone="Europe/Berlin",
        raw={"outage": outage_id(start)},
    )


def failed_row(due: datetime, *, line: UpOrDown) -> Measurement:
    """Return a failed test of the line."""
    row = failed(due, LOCATION)
    row.line = line
    return row
