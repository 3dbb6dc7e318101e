"""PING_URL, a dead man's switch in the manner of healthchecks.io: it raises an alarm when nobody calls any more.

A success is `POST PING_URL`, a failure `POST PING_URL/fail`, each with the reason as its body.
Source: https://healthchecks.io/docs/http_api/. Its `/start` is optional, and not sent: that call would go over the line
at the moment at which a test begins.
"""

import http.client
import urllib.error
import urllib.request
from urllib.parse import urlsplit, urlunsplit

from speedtest.alerts.channel import ChannelAnswer, without_secrets

SECONDS = 10.0
_LONGEST = 10_000


def send(url: str, words: str, *, failed: bool) -> ChannelAnswer:
    """Tell the switch, and return what it answered. Never raises for what a network does."""
    split = urlsplit(url)
    address = urlunsplit(split._replace(path=f"{split.path.rstrip('/')}/fail")) if failed else url
    request = urllib.request.Request(  # noqa: S310 (values.channels allows http and https only)
        address, words.encode()[:_LONGEST], {"User-Agent": "SpeedSnake", "Content-Type": "text/plain; charset=utf-8"}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 (the same)
            return ChannelAnswer(is_yes=True, words=f"{answer.status} {answer.reason}")
    except urllib.error.HTTPError as error:
        with error:
            return ChannelAnswer(is_yes=False, words=f"{error.code} {error.reason}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        return ChannelAnswer(is_yes=False, words=without_secrets(str(error), url))
