"""Send an event to a channel, by Apprise.

Apprise is 10 MiB of files and loads every service that it knows, which takes a second or more: this module is imported
only when there is something to send, and only in a process that ends.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import override

from apprise import Apprise, AppriseAsset, AppriseAttachment, NotifyFormat, NotifyType

from speedtest.alerts.channel import Channel, ChannelAnswer, without_secrets
from speedtest.alerts.outbox import AlertEvent

_TYPES = {"began": NotifyType.WARNING, "ended": NotifyType.SUCCESS, "told": NotifyType.INFO}
_WHY = ("Socket Exception", "SMTP Exception", "I/O Exception", "OS Exception")
"""What a reason begins with that Apprise logs at level DEBUG only, beside much that is none."""


class _Words(logging.Handler):
    """Keeps what Apprise says of one message. Nothing of it reaches another log: it has addresses and tokens."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text.startswith(_WHY):
            self.found.append(text.rpartition(": ")[2].strip("'\")"))
        elif record.levelno >= logging.WARNING:
            self.found.append(text)


def send(channel: Channel, event: AlertEvent, report: Path | None) -> ChannelAnswer:
    """Send an event, and return what the channel answered. Never raises: a channel must not hold up the others."""
    try:
        with _overheard() as words:
            is_yes = _send(channel, event, report)
    except Exception as error:  # noqa: BLE001 (any of Apprise's services may raise anything; the answer says what)
        return ChannelAnswer(is_yes=False, words=without_secrets(f"{type(error).__name__}: {error}", channel.url))
    if is_yes:
        return ChannelAnswer(is_yes=True, words="taken")
    why = "; ".join(words.found) or "it refused, and Apprise does not say why"
    return ChannelAnswer(is_yes=False, words=without_secrets(why, channel.url))


@contextmanager
def _overheard() -> Iterator[_Words]:
    """Yield what Apprise says within the block. The log gets nothing of it, nor of the libraries that Apprise uses."""
    log, words = logging.getLogger("apprise"), _Words()
    level, handlers = log.level, list(logging.getLogger().handlers)
    log.addHandler(words)
    log.setLevel(logging.DEBUG)
    for handler in handlers:
        handler.addFilter(_is_ours)
    try:
        yield words
    finally:
        for handler in handlers:
            handler.removeFilter(_is_ours)
        log.setLevel(level)
        log.removeHandler(words)


def _is_ours(record: logging.LogRecord) -> bool:
    return record.name.startswith("speedtest")


def _send(channel: Channel, event: AlertEvent, report: Path | None) -> bool:
    service = Apprise.instantiate(channel.url, asset=AppriseAsset(app_id="SpeedSnake", app_desc="SpeedSnake"))
    if service is None:
        return False
    formats = service.notify_format if isinstance(service.notify_format, tuple) else (service.notify_format,)
    is_html = formats[0] == NotifyFormat.HTML
    attach = AppriseAttachment(str(report)) if report and service.attachment_support else None
    return service.notify(
        title=event.subject,
        body=event.html if is_html else event.text,
        body_format=NotifyFormat.HTML if is_html else NotifyFormat.TEXT,
        notify_type=_TYPES[event.phase],
        attach=attach,
    )
