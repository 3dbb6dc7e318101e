"""A router's UPnP and TR-064 service, in the shape of a FRITZ!Box or of OpenWrt's miniupnpd, or hostile.

It answers on whatever sockets it is given: on loopback, or in a network namespace. `asked` are the requests so far.
"""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

FRITZBOX_PORT, OPENWRT_PORT, SSDP_PORT = 49000, 5000, 1900
IGD, DSL = "urn:schemas-upnp-org", "urn:dslforum-org"


class Line:
    """What the router knows. A test changes it."""

    def __init__(self) -> None:
        self.connected_since = time.monotonic() - 1000
        self.address = "198.51.100.7"
        self.link_down, self.link_up = 41_957_000, 10_192_000
        self.bytes_down, self.bytes_up = 7_000_000_000, 900_000_000
        self.status = "Connected"

    def reconnect(self) -> None:
        self.connected_since = time.monotonic()
        self.address = "198.51.100.99"

    @property
    def uptime(self) -> int:
        return int(time.monotonic() - self.connected_since)


class Asked(NamedTuple):
    """One request."""

    method: str
    path: str
    head: str
    action: str | None


type Shape = Callable[[Line, Asked], tuple[int, str]]
"""Answers a request with a status and a body."""


def service(kind: str, url: str) -> str:
    return (
        f"<service><serviceType>{kind}</serviceType><serviceId>x</serviceId>"
        f"<controlURL>{url}</controlURL><eventSubURL>/e</eventSubURL><SCPDURL>/s.xml</SCPDURL></service>"
    )


def described(name: str, *services: str, start: str = IGD) -> str:
    """Return a description: a gateway, in it the WAN's link, in it the WAN's connections."""
    first, *rest = services
    return (
        f'<?xml version="1.0"?>\n<root xmlns="{start}:device-1-0"><specVersion><major>1</major></specVersion><device>'
        f"<deviceType>{start}:device:InternetGatewayDevice:1</deviceType><friendlyName>{name}</friendlyName>"
        f"<modelName>{name}</modelName><deviceList><device><deviceType>{start}:device:WANDevice:1</deviceType>"
        f"<serviceList>{first}</serviceList><deviceList><device><serviceList>{''.join(rest)}</serviceList></device>"
        "</deviceList></device></deviceList></device></root>"
    )


def soap(action: str, **values: object) -> str:
    told = "".join(f"<New{name}>{value}</New{name}>" for name, value in values.items())
    return (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        f'<u:{action}Response xmlns:u="x">{told}</u:{action}Response></s:Body></s:Envelope>'
    )


INVALID = (500, soap("Fault", ErrorCode=401))


def _link(line: Line) -> dict[str, object]:
    return {
        "WANAccessType": "DSL",
        "Layer1UpstreamMaxBitRate": line.link_up,
        "Layer1DownstreamMaxBitRate": line.link_down,
        "PhysicalLinkStatus": "Up",
    }


def _status(line: Line) -> dict[str, object]:
    return {"ConnectionStatus": line.status, "LastConnectionError": "ERROR_NONE", "Uptime": line.uptime}


def _answered(action: str, values: dict[str, object] | None) -> tuple[int, str]:
    return INVALID if values is None else (200, soap(action, **values))


def fritzbox(line: Line, asked: Asked) -> tuple[int, str]:
    """IGD tells all without a password, with AVM's counters of 64 bits; TR-064 wants a password."""
    if asked.path == "/igddesc.xml":
        return 200, described(
            "FRITZ!Box 7590",
            service(f"{IGD}:service:WANCommonInterfaceConfig:1", "/igdupnp/control/WANCommonIFC1"),
            service(f"{IGD}:service:WANDSLLinkConfig:1", "/igdupnp/control/WANDSLLinkC1"),
            service(f"{IGD}:service:WANIPConnection:1", "/igdupnp/control/WANIPConn1"),
            service(f"{IGD}:service:WANIPv6FirewallControl:1", "/igd2upnp/control/WANIPv6Firewall1"),
        )
    if asked.path.startswith("/igdupnp/control/"):
        values: dict[str, dict[str, object]] = {
            "GetCommonLinkProperties": _link(line),
            "GetAddonInfos": {
                "ByteSendRate": 12,
                "TotalBytesSent": line.bytes_up % 2**32,
                "TotalBytesReceived": line.bytes_down % 2**32,
                "X_AVM_DE_TotalBytesSent64": line.bytes_up,
                "X_AVM_DE_TotalBytesReceived64": line.bytes_down,
            },
            "GetStatusInfo": _status(line),
            "GetExternalIPAddress": {"ExternalIPAddress": line.address},
        }
        return _answered(asked.action or "", values.get(asked.action or ""))
    return tr064_only(line, asked)


def tr064_only(_line: Line, asked: Asked) -> tuple[int, str]:
    """A FRITZ!Box that does not tell its state by UPnP: only TR-064 is left, and wants a password."""
    if asked.path == "/tr64desc.xml":
        return 200, described(
            "FRITZ!Box 7590",
            service(f"{DSL}:service:WANCommonInterfaceConfig:1", "/upnp/control/wancommonifconfig1"),
            service(f"{DSL}:service:WANPPPConnection:1", "/upnp/control/wanpppconn1"),
            service(f"{DSL}:service:WANIPConnection:1", "/upnp/control/wanipconnection1"),
            start=DSL,
        )
    return (401, "Unauthorized") if asked.path.startswith("/upnp/control/") else (404, "Not Found")


def openwrt(line: Line, asked: Asked) -> tuple[int, str]:
    """Miniupnpd: counters of 32 bits, and a PPP connection that is not in use beside the one that is."""
    if asked.path == "/rootDesc.xml":
        return 200, described(
            "OpenWrt router",
            service(f"{IGD}:service:WANCommonInterfaceConfig:1", "/ctl/CmnIfCfg"),
            service(f"{IGD}:service:WANPPPConnection:1", "/ctl/PPPConn"),
            service(f"{IGD}:service:WANIPConnection:2", "/ctl/IPConn"),
        )
    if asked.path == "/ctl/PPPConn":
        return _answered(asked.action or "", {"ConnectionStatus": "Disconnected", "Uptime": 0})
    values: dict[str, dict[str, object]] = {
        "GetCommonLinkProperties": _link(line),
        "GetTotalBytesSent": {"TotalBytesSent": line.bytes_up % 2**32},
        "GetTotalBytesReceived": {"TotalBytesReceived": line.bytes_down % 2**32},
        "GetStatusInfo": _status(line),
        "GetExternalIPAddress": {"ExternalIPAddress": line.address},
    }
    return _answered(asked.action or "", values.get(asked.action or ""))


class StandInRouter:
    """The router, which runs during its `with` block."""

    def __init__(
        self,
        http: socket.socket,
        ssdp: socket.socket | None = None,
        shape: Shape = fritzbox,
        *,
        location: str = "",
        raw: Callable[[socket.socket, Asked], None] | None = None,
    ) -> None:
        """Answer on these sockets. `raw` answers requests in its own way; `location` is what SSDP tells."""
        self.line = Line()
        self.asked: list[Asked] = []
        self._http, self._ssdp, self._shape, self._raw = http, ssdp, shape, raw
        self._location = location
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        if ssdp:
            self._threads.append(threading.Thread(target=self._tell, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._http.close()
        if self._ssdp:
            self._ssdp.close()

    @property
    def actions(self) -> list[str]:
        return [each.action for each in self.asked if each.action]

    def _serve(self) -> None:
        self._http.settimeout(0.05)
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                wire, _ = self._http.accept()
                threading.Thread(target=self._answer, args=(wire,), daemon=True).start()

    def _answer(self, wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            wire.settimeout(5)
            text = b""
            while b"\r\n\r\n" not in text:
                if not (piece := wire.recv(4096)):
                    return
                text += piece
            head, _, body = text.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while length and len(body) < int(length[1]):
                body += wire.recv(4096)
            method, path, _ = head.decode().split(" ", 2)
            action = re.search(r'(?i)soapaction: "[^"#]*#(\w+)"', head.decode())
            asked = Asked(method, path, head.decode(), action[1] if action else None)
            self.asked.append(asked)
            if self._raw:
                self._raw(wire, asked)
                return
            status, told = self._shape(self.line, asked)
            payload = told.encode()
            wire.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(payload)))
            wire.sendall(payload)

    def _tell(self) -> None:
        ssdp = self._ssdp
        assert ssdp
        ssdp.settimeout(0.05)
        while not self._over.is_set():
            with contextlib.suppress(OSError):
                question, sender = ssdp.recvfrom(2048)
                found = re.search(rb"ST: (\S+)", question)
                kind = found[1].decode() if found else ""
                location = self._location.replace("igddesc", "tr64desc") if "dslforum" in kind else self._location
                answer = f"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nST: {kind}\r\nLOCATION: {location}\r\n\r\n"
                ssdp.sendto(answer.encode(), sender)


def on_loopback(address: str, port: int, shape: Shape = fritzbox, **more: object) -> StandInRouter:
    """Return a router at an address of 127.0.0.0/8 of its own, with SSDP if `location` says what it tells."""
    http = socket.create_server((address, port))
    ssdp = None
    if "location" in more:
        ssdp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        ssdp.bind((address, SSDP_PORT))
    return StandInRouter(http, ssdp, shape, **more)  # type: ignore[arg-type] # pyrefly: ignore (passed on as they are)
