"""Send the state of a line to an MQTT broker, for Home Assistant and others that understand its discovery.

The process that does this ends after each visit, so that nothing stays in memory between tests. Who tells then that the
daemon has died? The broker: MQTT 5 lets a client leave with its last will in force, to be published after a delay
unless the client comes back (DISCONNECT with reason 4, Session Expiry and Will Delay Interval; OASIS MQTT 5.0,
3.1.3.2.2 and 3.14.2.1). So each visit sets the will `offline` anew, `away` seconds ahead. A broker that speaks only
MQTT 3.1.1 cannot do that: there the entities expire by themselves (`expire_after`).
"""

import threading
from datetime import UTC, datetime

import msgspec
from paho.mqtt.client import Client, ConnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from speedtest.environment import Settings
from speedtest.publishing import address, home_assistant, latest, posting
from speedtest.publishing.address import Address
from speedtest.publishing.receiver import ReceiverAnswer

AWAY_SECONDS = 900.0
"""With the time limit of a test, how long the daemon may be silent until it counts as gone."""
_WITH_WILL = 4
_CLOSED = "it closed the connection without an answer: is it an MQTT broker, and with TLS or without?"
_OTHER_VERSIONS = frozenset({"Unsupported protocol version", _CLOSED})


class Mqtt:
    """An MQTT broker that gets the state of this line."""

    name = "mqtt"

    def __init__(self, settings: Settings, url: str, away: float | None = None) -> None:
        """Take the address; `away` is for tests."""
        self._address = Address.of(url)
        self._settings = settings
        self._location = settings.speedtest_location_uuid
        self._away = away or AWAY_SECONDS + settings.speedtest_timeout_seconds
        self._prefix = self._address.path.strip("/") or home_assistant.PREFIX
        self.place = self._address.place
        self.key = address.key(self.name, self._address.url, self._location)

    def publish(self) -> ReceiverAnswer:
        """Announce the device and send its state."""
        location, result_dir = self._location, self._settings.result_dir
        seen = latest.watch(result_dir, location, datetime.now(UTC))
        known = latest.find(result_dir, location, self.key, seen)
        device = home_assistant.device(location, watched=self._settings.watch_seconds > 0, away=self._away)
        return self._visit(
            {
                home_assistant.config_topic(location, self._prefix): msgspec.json.encode(device),
                home_assistant.state_topic(location): msgspec.json.encode(home_assistant.state(known, seen)),
                home_assistant.availability_topic(location): home_assistant.ONLINE.encode(),
            }
        )

    def test(self) -> ReceiverAnswer:
        """Connect, and send nothing."""
        return self._visit({})

    def _visit(self, messages: dict[str, bytes]) -> ReceiverAnswer:
        answer = self._visit_by(MQTTProtocolVersion.MQTTv5, messages)
        if answer.words in _OTHER_VERSIONS:
            answer = self._visit_by(MQTTProtocolVersion.MQTTv311, messages)
        return answer

    def _visit_by(self, version: MQTTProtocolVersion, messages: dict[str, bytes]) -> ReceiverAnswer:
        """Connect, send these retained messages, wait until the broker has them, and leave."""
        has_delay = version == MQTTProtocolVersion.MQTTv5
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=home_assistant.node(self._location) if messages else "",
            clean_session=None if has_delay else True,
            protocol=version,
            reconnect_on_failure=False,
        )
        answered = threading.Event()
        refusals: list[str] = []

        def connected(_: Client, __: object, ___: ConnectFlags, reason: ReasonCode, ____: Properties | None) -> None:
            if reason.is_failure:
                refusals.append(reason.getName())
            answered.set()

        def published(_: Client, __: object, ___: int, reason: ReasonCode, ____: Properties | None) -> None:
            if reason.is_failure:
                refusals.append(reason.getName())

        def ended(*_: object) -> None:
            if not answered.is_set():
                refusals.append(_CLOSED)
                answered.set()

        client.on_connect, client.on_publish, client.on_disconnect = connected, published, ended
        client.connect_timeout = posting.SECONDS
        try:
            self._prepare(client, has_delay=has_delay and bool(messages))
            client.connect(
                self._address.host,
                self._address.port,
                clean_start=not messages if has_delay else 3,
                properties=self._session(PacketTypes.CONNECT) if has_delay and messages else None,
            )
        except (OSError, ValueError) as error:
            return ReceiverAnswer("later", posting.why(error))
        client.loop_start()
        try:
            if not answered.wait(posting.SECONDS):
                return ReceiverAnswer("later", f"it did not answer within {posting.SECONDS:g} s: is it an MQTT broker?")
            answer = ReceiverAnswer("taken") if refusals else self._send(client, messages)
            return self._judge(refusals[0]) if refusals else answer
        finally:
            client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=_WITH_WILL) if has_delay else None)
            client.loop_stop()

    def _prepare(self, client: Client, *, has_delay: bool) -> None:
        if self._address.user is not None:
            client.username_pw_set(self._address.user, self._address.password)
        if self._address.tls:
            client.tls_set_context(posting.trusted(self._settings.publish_ca_file))
        will = self._session(PacketTypes.WILLMESSAGE) if has_delay else None
        if has_delay:
            topic = home_assistant.availability_topic(self._location)
            client.will_set(topic, home_assistant.OFFLINE, qos=1, retain=True, properties=will)

    def _session(self, packet: int) -> Properties:
        """Return how long the broker keeps the session, and when it publishes the will."""
        properties = Properties(packet)
        if packet == PacketTypes.CONNECT:
            properties.SessionExpiryInterval = round(self._away) + 60
        else:
            properties.WillDelayInterval = round(self._away)
        return properties

    @staticmethod
    def _send(client: Client, messages: dict[str, bytes]) -> ReceiverAnswer:
        sent = [client.publish(topic, payload, qos=1, retain=True) for topic, payload in messages.items()]
        for topic, message in zip(messages, sent, strict=True):
            try:
                message.wait_for_publish(posting.SECONDS)
            except (ValueError, RuntimeError) as error:
                return ReceiverAnswer("later", f"it did not take {topic}: {error}")
            if not message.is_published():
                return ReceiverAnswer("later", f"it did not take {topic}: may this user write there?")
        return ReceiverAnswer("taken")

    @staticmethod
    def _judge(reason: str) -> ReceiverAnswer:
        advice = {
            "Bad user name or password": ": check user and password in MQTT_URL",
            "Not authorized": ": check user and password in MQTT_URL, and what this user may do",
        }
        return ReceiverAnswer("later", reason + advice.get(reason, ""))
