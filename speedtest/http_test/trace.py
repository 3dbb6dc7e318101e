"""Which of Cloudflare's places answered: `/cdn-cgi/trace`, lines of NAME=VALUE.

Only `colo` is read, the code of the nearest airport, such as FRA. The answer also has this machine's address and
country: they are not kept.
"""

import re

from speedtest.http_test.trouble import OK
from speedtest.http_test.wire import Cut, Wire

_PLACE = re.compile(rb"^colo=([A-Z]{3})\r?$", re.MULTILINE)
_LONGEST = 2048


def place(wire: Wire) -> str | None:
    """Return the place's code; None if the server does not say it. The connection stays usable. Raises Trouble."""
    try:
        wire.ask("GET", "/cdn-cgi/trace")
        response = wire.response()
        text = wire.text(response, _LONGEST)
    except (Cut, TimeoutError):
        wire.renew()
        return None
    if text is None or response.closes:
        wire.renew()
    found = _PLACE.search(text or b"")
    return found[1].decode() if found and response.status == OK else None
