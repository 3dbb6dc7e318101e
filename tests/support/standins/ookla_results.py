"""Results as Ookla's CLI prints them, with invented values, and the columns that each must give.

They are texts, not objects, because tests also cover how a number is printed (`2.550`, `0.14399999999999999`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

type Value = str | int | float | bool | None


@dataclass(frozen=True)
class Result:
    """One line that the program prints, and the columns of its row that a test compares."""

    text: str
    columns: Mapping[str, Value] = field(default_factory=dict)


V1_2_0 = (
    '{"type":"result","timestamp":"2024-03-09T14:25:36Z",'
    '"ping":{"jitter":2.550,"latency":15.352,"low":13.467,"high":21.705},'
    '"download":{"bandwidth":36250000,"bytes":329104512,"elapsed":9205,'
    '"latency":{"iqm":24.660,"low":8.313,"high":248.521,"jitter":10.023}},'
    '"upload":{"bandwidth":1562500,"bytes":12011720,"elapsed":7807,'
    '"latency":{"iqm":44.882,"low":7.723,"high":139.151,"jitter":6.216}},'
    '"packetLoss":1.7647058823529411,"isp":"Example Fibre",'
    '"interface":{"internalIp":"192.0.2.20","name":"eth0","macAddr":"00:00:5E:00:53:2A",'
    '"isVpn":false,"externalIp":"203.0.113.77"},'
    '"server":{"id":4711,"host":"speed.example.net","port":8080,"name":"Example Net","location":"Bern",'
    '"country":"Switzerland","ip":"203.0.113.78"},'
    '"result":{"id":"5d0a4b7e-9c1f-4a56-8a37-0d6f5b3c2e11",'
    '"url":"https://www.speedtest.net/result/c/5d0a4b7e-9c1f-4a56-8a37-0d6f5b3c2e11","persisted":true}}'
)

V1_0_0 = (
    '{"type":"result","timestamp":"2020-06-10T12:21:25Z","ping":{"jitter":0.14399999999999999,"latency":29.881},'
    '"download":{"bandwidth":11718750,"bytes":132498445,"elapsed":13000},'
    '"upload":{"bandwidth":4062500,"bytes":43741437,"elapsed":11910},"packetLoss":0,"isp":"Example S.p.A.",'
    '"interface":{"internalIp":"192.0.2.19","name":"en0","macAddr":"00:00:5E:00:53:2B","isVpn":false,'
    '"externalIp":"203.0.113.79"},'
    '"server":{"id":4712,"name":"Example IT","location":"Milan","country":"Italy","host":"speed.example.it",'
    '"port":8080,"ip":"203.0.113.80"},'
    '"result":{"id":"0b8e7f64-2f0d-4d0e-9a3b-6d1c0f9e7a22",'
    '"url":"https://www.speedtest.net/result/c/0b8e7f64-2f0d-4d0e-9a3b-6d1c0f9e7a22"}}'
)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """Replace the first text of each change by its second. Raises ValueError if a change changes nothing."""
    for old, new in changes:
        if old not in text:
            raise ValueError(f"cannot replace {old!r}: it is not in the result")
        text = text.replace(old, new, 1)
    return text


NEW = {
    "timestamp": "2024-03-09T14:25:36Z",
    "download_mbps": 290.0,
    "upload_mbps": 12.5,
    "latency_ms": 15.352,
    "jitter_ms": 2.55,
    "packet_loss_percent": 1.7647058823529411,
    "download_latency_ms": 24.66,
    "upload_latency_ms": 44.882,
    "data_bytes": 341116232,
}
OLD = {
    "timestamp": "2020-06-10T12:21:25Z",
    "download_mbps": 93.75,
    "upload_mbps": 32.5,
    "latency_ms": 29.881,
    "jitter_ms": 0.14399999999999999,
    "packet_loss_percent": 0.0,
    "download_latency_ms": None,
    "upload_latency_ms": None,
    "data_bytes": 176239882,
}

RESULTS: Mapping[str, Result] = {
    "1.2.0": Result(V1_2_0, NEW),
    "1.0.0": Result(V1_0_0, OLD),
    "without packet loss": Result(
        changed(V1_2_0, ('"packetLoss":1.7647058823529411,', "")), NEW | {"packet_loss_percent": None}
    ),
    "without url": Result(
        changed(
            V1_2_0,
            ('"url":"https://www.speedtest.net/result/c/5d0a4b7e-9c1f-4a56-8a37-0d6f5b3c2e11","persisted":true', "@"),
            ("@", '"persisted":false'),
        ),
        NEW,
    ),
    "without loaded latency": Result(
        changed(
            V1_2_0,
            (',"latency":{"iqm":24.660,"low":8.313,"high":248.521,"jitter":10.023}', ""),
            (',"latency":{"iqm":44.882,"low":7.723,"high":139.151,"jitter":6.216}', ""),
        ),
        NEW | {"download_latency_ms": None, "upload_latency_ms": None},
    ),
    "without ping range": Result(changed(V1_2_0, (',"low":13.467,"high":21.705', "")), NEW),
    "without jitter": Result(changed(V1_2_0, ('"jitter":2.550,', "")), NEW | {"jitter_ms": None}),
    "jitter above latency": Result(changed(V1_2_0, ('"jitter":2.550', '"jitter":99.5')), NEW | {"jitter_ms": 99.5}),
    "names to escape": Result(
        changed(
            V1_2_0,
            ('"isp":"Example Fibre"', '"isp":"Été, \\"Fibre\\" & Söhne\\nGmbH"'),
            ('"location":"Bern"', '"location":"Hồ Chi Minh 🛰"'),
            ('"name":"Example Net"', '"name":"\'quoted\', %s \\\\ $HOME"'),
        ),
        NEW
        | {
            "isp": 'Été, "Fibre" & Söhne\nGmbH',
            "server_location": "Hồ Chi Minh 🛰",
            "server_name": "'quoted', %s \\ $HOME",
        },
    ),
    "nul in a name": Result(changed(V1_2_0, ('"isp":"Example Fibre"', '"isp":"Example\\u0000Fibre"')), NEW),
    "empty names": Result(
        changed(V1_2_0, ('"name":"eth0"', '"name":""'), ("203.0.113.77", "")),
        NEW | {"interface_name": "", "interface_externalIp": ""},
    ),
    "ipv6": Result(
        changed(V1_2_0, ("192.0.2.20", "2001:db8::20"), ("203.0.113.77", "2001:db8::77")),
        NEW | {"interface_internalIp": "2001:db8::20", "interface_externalIp": "2001:db8::77"},
    ),
    "through a vpn": Result(changed(V1_2_0, ('"isVpn":false', '"isVpn":true')), NEW | {"interface_isVpn": True}),
    "fields of a newer version": Result(
        changed(V1_2_0, ('"isp":', '"status":"fine","hops":[1,"two",null],"dns":{"latency":{"v6":1.50}},"isp":')),
        NEW,
    ),
    "900 KB of isp": Result(changed(V1_2_0, ("Example Fibre", "Fibre " * 150_000)), NEW),
}
