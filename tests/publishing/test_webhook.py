"""Rows by webhook: each once, signed, in order; and how failures are told, tried again and given up."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daemon import run
from publishing import change, notes, publish
from receivers import Request, free_port, hook
from samples import failed, keep, measured, utc

from speedtest.publishing import webhook
from speedtest.publishing.standing import Standing

SECRET = "open sesame"  # noqa: S105 (that of a test)


def is_signed(request: Request, secret: bytes) -> bool:
    """Verify a request as the Standard Webhooks say."""
    content = f"{request.id}.{request.headers['webhook-timestamp']}.".encode() + request.body
    expected = base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in request.headers["webhook-signature"].split(" ")


def test_each_row_comes_once_in_order_signed_and_with_an_id_of_its_own(tmp_path: Path) -> None:
    rows = [measured(utc(2026, 11, 26, 1)), failed(utc(2026, 11, 26, 2)), measured(utc(2026, 11, 26, 3))]
    keep(rows[::-1], tmp_path / "results")
    with hook() as receiver:
        url = receiver.url + "?key=k1"
        code, said = publish(tmp_path, "webhook", WEBHOOK_URL=url, WEBHOOK_SECRET=SECRET)
        assert (code, "3 rows" in said, "k1" in said, SECRET in said) == (True, True, False, False)
        assert publish(tmp_path, "webhook", WEBHOOK_URL=url, WEBHOOK_SECRET=SECRET)[0]
        got = receiver.got
    assert [request.json["data"]["status"] for request in got] == ["ok", "failed", "ok"]
    assert [request.json["data"].get("download_mbps") for request in got] == [row.download_mbps for row in rows]
    assert len({request.id for request in got}) == 3
    assert all(is_signed(request, SECRET.encode()) and request.path == "/hook?key=k1" for request in got)
    assert {request.json["type"] for request in got} == {"speedtest.row"}
    now = datetime.now(UTC).timestamp()
    assert all(abs(int(request.headers["webhook-timestamp"]) - now) < 300 for request in got)


def test_a_secret_in_the_form_of_the_standard_is_decoded() -> None:
    """The figures are those of the example in the specification."""
    body = b'{"test": 2432232314}'
    key = webhook.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert key is not None
    signed = webhook.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_without_a_secret_nothing_is_signed_and_a_test_sends_no_row(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26))], tmp_path / "results")
    with hook() as receiver:
        code, said = publish(tmp_path, "webhook", test=True, WEBHOOK_URL=receiver.url)
        assert (code, "would take" in said) == (True, True)
        (request,) = receiver.got
    assert request.json["type"] == "speedtest.test"
    assert "webhook-signature" not in request.headers


@pytest.mark.parametrize("status", [301, 401, 429, 500])
def test_a_row_that_is_not_taken_waits_and_comes_with_the_same_id(tmp_path: Path, status: int) -> None:
    keep([measured(utc(2026, 11, 26, hour), seed=hour) for hour in range(2)], tmp_path / "results")
    with hook() as receiver:
        receiver.status = status
        code, said = publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)
        assert (code, f"HTTP {status}" in said) == (False, True)
        assert notes(tmp_path)["rows_waiting"] == 2
        receiver.status = 200
        assert publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)[0]
        assert receiver.got[0].id == receiver.refused[0].id
        assert len(receiver.got) == 2
    assert notes(tmp_path)["since"] is None


def test_the_daemon_s_child_waits_out_the_pause_and_says_the_same_meanwhile(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26))], tmp_path / "results")
    url = f"http://127.0.0.1:{free_port()}/hook"
    said = [publish(tmp_path, "webhook", due=True, WEBHOOK_URL=url) for _ in range(3)]
    assert said[0] == said[1] == said[2]
    assert notes(tmp_path)["failures"] == 1
    change(tmp_path, next_try="2026-11-27T00:00:00Z")
    assert not publish(tmp_path, "webhook", due=True, WEBHOOK_URL=url).well
    assert notes(tmp_path)["failures"] == 2


def test_pauses_grow_to_a_quarter_of_an_hour_and_the_receiver_s_own_wish_is_kept() -> None:
    now = utc(2026, 11, 27)
    found = Standing(name="webhook", place="")
    pauses: list[float] = []
    for _ in range(8):
        found.fail(now, "", "up")
        assert found.next_try
        pauses.append((found.next_try - now).total_seconds())
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    found.fail(now, "", "up", retry_seconds=1800)
    assert not found.is_due(now + timedelta(seconds=1799), "up")
    assert found.is_due(now + timedelta(seconds=1800), "up")
    assert found.is_due(now - timedelta(days=1), "up")  # the clock was set


@pytest.mark.parametrize("told", ["Mon, 01 Jan 2024 00:00:00 +99999999999999", "Mon, 01 Jan 2024 00:00:00", "soon"])
def test_a_wish_outside_the_calendar_is_a_failure_like_any_other(tmp_path: Path, told: str) -> None:
    keep([measured(utc(2026, 11, 26))], tmp_path / "results")
    with hook() as receiver:
        receiver.status, receiver.headers = 429, {"Retry-After": told}
        code, said = publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)
    assert (code, "429" in said) == (False, True), said


def test_a_receiver_that_failed_while_the_line_was_down_is_asked_when_it_is_back() -> None:
    now = utc(2026, 11, 27)
    found = Standing(name="webhook", place="")
    found.fail(now, "", "down")
    assert not found.is_due(now, "down")
    assert found.is_due(now, "up")
    found.fail(now, "", "up")
    assert not found.is_due(now, "up")


def test_a_row_that_is_refused_for_a_day_is_given_up_and_told(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26, hour), seed=hour) for hour in range(3)], tmp_path / "results")
    with hook() as receiver:
        receiver.status = lambda request: 422 if b"T01:00:00Z" in request.body[:70] else 200
        assert publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)[0] is False
        assert len(receiver.got) == 1
        since = datetime.fromisoformat(notes(tmp_path)["refused_since"]) - timedelta(hours=23)
        change(tmp_path, refused_since=since.isoformat())
        assert publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)[0] is False
        change(tmp_path, refused_since=(since - timedelta(hours=2)).isoformat())
        code, said = publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)
        assert (code, "which it does not get" in said) == (True, True)
        assert len(receiver.got) == 2
    assert notes(tmp_path)["declined"] == 1


@pytest.mark.slow
def test_one_receiver_that_refuses_does_not_hold_up_the_others_nor_does_a_second_process_send(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26))], tmp_path / "results")
    codes: list[int] = []

    def meanwhile(_: Request) -> int:
        codes.append(run(tmp_path, "publish", "webhook", programs=None, **both).returncode)
        return 204

    with hook() as good, hook() as bad:
        both = {"INFLUX_URL": f"http://127.0.0.1:{bad.port}", "WEBHOOK_URL": good.url}
        bad.status, good.status = 500, meanwhile
        ended = run(tmp_path, "publish", programs=None, **both)
        assert (ended.returncode, codes, len(good.got), len(bad.refused)) == (1, [75], 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "variables", "code", "words"),
    [
        ([], {"WEBHOOK_URL": "ftp://u:hidden@example.net"}, 78, "WEBHOOK_URL"),
        ([], {}, 78, "MQTT_URL, INFLUX_URL or WEBHOOK_URL"),
        (["influx"], {"WEBHOOK_URL": "http://127.0.0.1:9/"}, 78, "set INFLUX_URL"),
        (["fax"], {}, 64, "fax"),
        (["--test", "--due"], {}, 64, "usage"),
    ],
)
def test_what_cannot_be_done_is_told(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], code: int, words: str
) -> None:
    ended = run(tmp_path, "publish", *arguments, programs=None, **variables)
    assert (ended.returncode, words in ended.stderr, "hidden" in ended.stderr) == (code, True, False)


def test_notes_that_are_not_valid_are_begun_anew_and_told(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26))], tmp_path / "results")
    with hook() as receiver:
        publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)
        for path in (tmp_path / "results" / "publishing").glob("webhook-*.json"):
            path.write_text("{")
        code, said = publish(tmp_path, "webhook", WEBHOOK_URL=receiver.url)
        assert (code, "begins anew" in said, len(receiver.got)) == (True, True, 1)
