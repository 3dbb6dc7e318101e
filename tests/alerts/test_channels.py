"""Alerts reach real receivers on loopback, by Apprise: each in its form, each on its own, and no secret anywhere."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from alerting import SLOT, TOKEN, AlertedLine, HttpReceiver, MailReceiver, break_line, failed_row, good_row
from hypothesis import given, strategies as st
from samples import keep, utc

from speedtest.alerts.channel import without_secrets

START = utc(2026, 11, 23, 10, 0, 0)


@pytest.fixture
def hook() -> Iterator[HttpReceiver]:
    with HttpReceiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[MailReceiver]:
    with MailReceiver() as receiver:
        yield receiver


@pytest.mark.slow
def test_each_channel_gets_each_event_once_in_order_in_its_form_and_one_that_refuses_holds_up_no_other(
    tmp_path: Path, hook: HttpReceiver, mail: MailReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    line = AlertedLine(tmp_path, (hook.url, mail.url), {"ALERT_DIGEST": "daily 08:00"})
    line.run(START)
    hook.refuses = True
    now = break_line(line, START + timedelta(minutes=3), 252)
    assert (hook.titles, mail.subjects) == (
        [],
        ["home: line down since 23 Nov 11:03", "home: line up again after 4 min 12 s"],
    )
    hook.refuses = False
    line.run(now + timedelta(minutes=2))
    assert hook.titles == mail.subjects
    assert [message["type"] for message in hook.messages] == ["warning", "success"]
    assert line.waiting() == []

    plain, rich = (mail.mails[1].get_body((kind,)) for kind in ("plain", "html"))
    assert plain
    assert rich
    assert "Where" in plain.get_content()
    assert "behind the router</td>" in rich.get_content()
    ids = {message["message"].split("Event ")[1].strip() for message in hook.messages}
    assert all(any(name in each.as_string() for each in mail.mails) for name in ids)

    keep([good_row(START + SLOT * number) for number in range(1, 20)], line.settings.result_dir)
    line.run(utc(2026, 11, 24, 7, 1))
    (attached,) = (part for each in mail.mails for part in each.iter_attachments())
    assert "<html" in attached.get_content()
    digest = next(message for message in hook.messages if "Tests: " in message["message"])
    assert [each["mimetype"] for each in digest["attachments"]] == ["text/html"]

    said = "".join(record.getMessage() for record in caplog.records if record.name != "mail.log") + line.files()
    assert TOKEN not in said
    assert "me@example.net" not in said


@pytest.mark.slow
def test_a_channel_that_is_none_and_one_that_nobody_listens_to_are_told_without_their_secrets(
    tmp_path: Path, hook: HttpReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    strange = f"nonsense://{TOKEN}@example.net"
    dead = f"json://user:{TOKEN}@127.0.0.1:1/{TOKEN}"
    mailer = f"mailto://user:{TOKEN}@127.0.0.1:1/?to=me@example.net&mode=insecure"
    line = AlertedLine(tmp_path, (strange, dead, mailer, hook.url))
    line.run(START)
    break_line(line, START + timedelta(minutes=3), 252)
    assert len(hook.titles) == 2
    notes = line.outbox.notes()
    assert sorted(note.refusals for note in notes.values()) == [0, 1, 1, 1]
    assert any("Connection refused" in (note.words or "") for note in notes.values())
    assert TOKEN not in caplog.text + line.files()


def test_ping_url_is_called_once_a_row_with_fail_and_the_reason_after_a_failure(
    tmp_path: Path, hook: HttpReceiver
) -> None:
    url = f"http://{hook.address}/{TOKEN}?rid=1"
    line = AlertedLine(tmp_path, (), {"PING_URL": url})
    line.keep(good_row(START))
    for minute in range(3):
        line.run(START + timedelta(minutes=1 + minute))
    line.keep(failed_row(START + SLOT, line="up"))
    line.run(START + SLOT + timedelta(minutes=1))
    hook.refuses = True
    line.keep(good_row(START + 2 * SLOT))
    line.run(START + 2 * SLOT + timedelta(minutes=1))
    hook.refuses = False
    line.run(START + 2 * SLOT + timedelta(minutes=2))
    assert [urlsplit(path).path for path, _ in hook.bodies] == [f"/{TOKEN}", f"/{TOKEN}/fail", f"/{TOKEN}"]
    assert [urlsplit(path).query for path, _ in hook.bodies] == ["rid=1"] * 3
    texts = [body.decode() for _, body in hook.bodies]
    assert texts[0].endswith(": 250 Mbit/s down")
    assert "the test failed (exit): no route to host" in texts[1]


def test_nothing_is_called_while_the_line_is_down_or_when_nobody_listens(tmp_path: Path) -> None:
    line = AlertedLine(tmp_path, (), {"PING_URL": f"http://127.0.0.1:1/{TOKEN}"})
    line.keep(good_row(START))
    line.run(START + timedelta(minutes=1))
    line.watch(START + SLOT, "down", START + timedelta(minutes=5))
    line.keep(failed_row(START + SLOT, line="down"))
    line.run(START + SLOT)
    assert TOKEN not in line.files()


@given(
    secret=st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=4, max_size=20).filter(lambda s: not s.isdigit()),
    form=st.sampled_from(
        [
            "json://{}@h/",
            "json://u:{}@h/p",
            "tgram://{}/1",
            "mailto://h?to=a&pass={}",
            "slack://a/{}/b",
            "mailto://h/?pass=%3A{}",
        ]
    ),
    words=st.sampled_from(["refused {}", "https://h/bot{}/send: 404", "user={} password={}"]),
)
def test_no_part_of_an_address_is_in_what_is_kept_of_an_answer(secret: str, form: str, words: str) -> None:
    assert secret not in without_secrets(words.replace("{}", secret), form.format(secret))
