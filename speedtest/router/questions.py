"""The questions to a router's services, and what is believed of the answers.

Sources: UPnP `WANCommonInterfaceConfig:1` and `WANIPConnection:1` (`WANPPPConnection:1`), the same in TR-064
(`urn:dslforum-org:service:…`), and AVM's `GetAddonInfos`, which has counters of 64 bits. Rates are bit/s, the uptime is
that of the WAN connection in seconds. By the standard, counters of bytes have 32 bits and begin again at 0.
"""

import hashlib
import hmac
from typing import Any, NamedTuple

from speedtest.router import xml
from speedtest.router.web import NEEDS_PASSWORD, OK, Host, HttpAnswer, UnusableAnswer, WebPlace

MOST_CONNECTIONS = 4
_BIT32 = 1 << 32
_MOST_BITS = 10**12
"""No line carries a terabit a second."""
_LONGEST_UPTIME = 20 * 366 * 86400
_DIGITS = 20

type RouterFields = dict[str, Any]
"""What the router said, by the names that `program` documents."""


class RouterService(NamedTuple):
    """A service that can be asked."""

    kind: str
    port: int
    path: str


class KnownServices(NamedTuple):
    """Where the router's services are; what a first run finds, a later one is given."""

    common: RouterService | None = None
    """Counts bytes, and knows the link's rates."""
    connections: tuple[RouterService, ...] = ()
    """Know since when the WAN is connected. A router may have several, of which one is in use."""
    name: str | None = None
    wide: bool = True
    """Whether it is asked for counters of 64 bits; a router that does not know the question is not asked again."""


def services(host: Host, at: WebPlace) -> KnownServices:
    """Read a description. Raises UnusableAnswer, OSError."""
    answer = host.get(at)
    if answer.status != OK:
        raise UnusableAnswer(f"{host.address}:{at.port}{at.path} was answered {answer.status}")
    told = xml.description(answer.body)
    base = host.place(told.base) if told.base else at
    found = [RouterService(each.kind, *host.place(each.url, base)) for each in told.services if _role(each.kind)]
    common = next((each for each in found if _role(each.kind) == "common"), None)
    connections = [each for each in found if _role(each.kind) == "connection"][:MOST_CONNECTIONS]
    if not found:
        raise UnusableAnswer(f"{host.address}:{at.port}{at.path} describes no WAN connection")
    return KnownServices(common, tuple(connections), told.name)


def ask(host: Host, known: KnownServices, key: bytes, problems: list[str]) -> RouterFields:
    """Return what the router says; what it does not say, or what cannot be true, is left out.

    `key` makes the digest of the external address, which itself is neither returned nor kept.
    """
    fields: RouterFields = {}
    if known.common:
        rates = _values(host, known.common, "GetCommonLinkProperties", problems)
        fields["link_down_mbps"] = _rate(rates.get("NewLayer1DownstreamMaxBitRate"))
        fields["link_up_mbps"] = _rate(rates.get("NewLayer1UpstreamMaxBitRate"))
        fields["link_status"] = xml.printable(rates.get("NewPhysicalLinkStatus", ""))
        fields |= _bytes(host, known, known.common, problems)
    for connection in known.connections:
        status = _values(host, connection, "GetStatusInfo", problems)
        state = xml.printable(status.get("NewConnectionStatus", ""))
        if not state or (fields.get("wan_status") and state != "Connected"):
            continue
        fields["wan_status"] = state
        fields["wan_uptime_seconds"] = _number(status.get("NewUptime"), _LONGEST_UPTIME) or None
        if state == "Connected":
            address = _values(host, connection, "GetExternalIPAddress", problems).get("NewExternalIPAddress")
            fields["address"] = hmac.new(key, address.encode(), hashlib.sha256).hexdigest()[:16] if address else None
            break
    return {name: value for name, value in fields.items() if value is not None}


def _bytes(host: Host, known: KnownServices, common: RouterService, problems: list[str]) -> RouterFields:
    """Return the bytes that the whole house has moved, and how many bits the counters have."""
    wide = _values(host, common, "GetAddonInfos", None) if known.wide else {}
    down = _number(wide.get("NewX_AVM_DE_TotalBytesReceived64"))
    up = _number(wide.get("NewX_AVM_DE_TotalBytesSent64"))
    if down is not None and up is not None:
        return {"bytes_down": down, "bytes_up": up, "counter_bits": 64}
    down = _number(_values(host, common, "GetTotalBytesReceived", problems).get("NewTotalBytesReceived"))
    up = _number(_values(host, common, "GetTotalBytesSent", problems).get("NewTotalBytesSent"))
    if down is None or up is None:
        return {}
    return {"bytes_down": down, "bytes_up": up, "counter_bits": 32 if max(down, up) < _BIT32 else 64}


def _values(host: Host, service: RouterService, action: str, problems: list[str] | None) -> dict[str, str]:
    """Ask one question; an empty answer if there is none, and the reason in `problems`."""
    try:
        answer = _asked(host, service, action)
        if answer.status == OK:
            return xml.values(answer.body)
        needs = " and needs a password, which is never asked for" if answer.status in NEEDS_PASSWORD else ""
        why = f"the router answered {action} with {answer.status}{needs}"
    except UnusableAnswer as refused:
        why = f"{action}: {refused}"
    except OSError as error:
        why = f"{action}: {'no answer in time' if isinstance(error, TimeoutError) else error.strerror or error}"
    if problems is not None:
        problems.append(why)
    return {}


def _asked(host: Host, service: RouterService, action: str) -> HttpAnswer:
    body = (
        '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>'
        f'<u:{action} xmlns:u="{service.kind}"></u:{action}></s:Body></s:Envelope>\r\n'
    )
    headers = ['Content-Type: text/xml; charset="utf-8"', f'SOAPAction: "{service.kind}#{action}"']
    return host.post(WebPlace(service.port, service.path), headers, body.encode("ascii"))


def _role(kind: str) -> str | None:
    """Return what a type of service is for. It becomes part of a request, so only plain ones are known."""
    start, _, rest = kind.partition(":service:")
    name, _, version = rest.partition(":")
    if start not in ("urn:schemas-upnp-org", "urn:dslforum-org") or version not in ("1", "2"):
        return None
    roles = {"WANCommonInterfaceConfig": "common", "WANIPConnection": "connection", "WANPPPConnection": "connection"}
    return roles.get(name)


def _number(text: str | None, most: int = (1 << 64) - 1) -> int | None:
    if not (text and text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        return None
    return number if (number := int(text)) <= most else None


def _rate(text: str | None) -> float | None:
    """Return a rate in Mbit/s. 0, and the largest number of 32 bits, mean that the router does not know it."""
    bits = _number(text, _MOST_BITS)
    return round(bits / 1e6, 3) if bits and bits != _BIT32 - 1 else None
