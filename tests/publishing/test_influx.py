"""Rows in a real InfluxDB 1.x and a real VictoriaMetrics."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from command import speedsnake
from daemon import run
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from msgspec.structs import replace
from publishing import publish
from receivers import Hook, InfluxServer, exported, hook, influxdb, victoria_metrics
from samples import HOME, day_of, failed, keep, measured, utc

from speedtest.measurement import Measurement


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    with influxdb(tmp_path_factory.mktemp("influx")) as server:
        yield server


@pytest.fixture
def influx(store: InfluxServer) -> InfluxServer:
    store.ask("drop database speedsnake")
    store.ask("create database speedsnake")
    return store


def many(days: int) -> list[Measurement]:
    """Return rows of so many days up to yesterday in the samples' time, an outage each day."""
    found: list[Measurement] = []
    for number in range(days):
        day = utc(2026, 11, 26) - timedelta(days=number)
        found += day_of(day, 4, HOME)
        outage = replace(failed(day + timedelta(hours=5), HOME), status="outage", error_kind="router", engine=None)
        found.append(replace(outage, duration_seconds=61.5, raw={"outage": str(number)}))
    return found


@pytest.mark.slow
def test_every_row_is_one_point_whether_it_lies_in_csv_or_in_parquet(tmp_path: Path, influx: InfluxServer) -> None:
    rows = many(12)
    keep(rows[: len(rows) // 2], tmp_path / "results")
    assert run(tmp_path, "convert").returncode == 0
    keep(rows[len(rows) // 2 :], tmp_path / "results")
    for _ in range(2):
        assert publish(tmp_path, "influx", INFLUX_URL=influx.url)[0]
    tests = influx.ask("select * from speedtest")
    outages = influx.ask("select * from speedtest_outage")
    assert len(tests) + len(outages) == len(rows)
    assert len(outages) == 12
    assert {each["duration_seconds"] for each in outages} == {61.5}
    sent = {(each["time"] // 1000, each["status"], each["download_mbps"]) for each in tests}
    assert sent == {
        (round(row.timestamp.timestamp() * 10**6), row.status, row.download_mbps)
        for row in rows
        if row.status != "outage"
    }
    one = next(each for each in tests if each["ok"])
    assert (one["location"], one["engine"], one["server"]) == (HOME, "ookla", 'Example "Fibre"')


@pytest.mark.slow
def test_two_rows_of_one_second_stay_two_points_and_one_that_is_sent_again_stays_one(
    tmp_path: Path, influx: InfluxServer
) -> None:
    keep([measured(utc(2026, 11, 26), HOME, seed) for seed in (1, 2)], tmp_path / "results")
    publish(tmp_path, "influx", INFLUX_URL=influx.url)
    for path in (tmp_path / "results" / "publishing").iterdir():
        path.unlink()
    assert "sent 2 rows" in publish(tmp_path, "influx", INFLUX_URL=influx.url)[1]
    assert len(influx.ask("select * from speedtest")) == 2


CONTROL = re.compile(r"[\x01-\x1f\x7f-\x9f\u2028\u2029]")
NASTY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.text(
    ' ,="\\\n', max_size=6
)


@pytest.mark.slow
@settings(max_examples=4, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(texts=st.lists(st.tuples(NASTY, NASTY), min_size=60, max_size=60))
def test_whatever_a_server_calls_itself_its_row_arrives(
    tmp_path_factory: pytest.TempPathFactory, store: InfluxServer, texts: list[tuple[str, str]]
) -> None:
    store.ask("drop database speedsnake")
    store.ask("create database speedsnake")
    folder = tmp_path_factory.mktemp("nasty")
    rows = [
        replace(failed(utc(2026, 11, 26) + timedelta(seconds=n), HOME), raw={"server_name": name or "x"}, error=words)
        for n, (name, words) in enumerate(texts)
    ]
    keep(rows, folder / "results")
    assert publish(folder, "influx", INFLUX_URL=store.url)[0]
    found = store.ask("select error, server_name from speedtest")
    assert [(each["time"] // 10**9, each["error"], each["server_name"]) for each in found] == [
        (int(row.timestamp.timestamp()), CONTROL.sub(" ", words), CONTROL.sub(" ", name or "x"))
        for row, (name, words) in zip(rows, texts, strict=True)
    ]


@pytest.mark.slow
def test_a_store_that_lacks_the_database_or_wants_a_password_is_told_once_with_what_to_do(
    tmp_path: Path, influx: InfluxServer
) -> None:
    keep([measured(utc(2026, 11, 26), HOME)], tmp_path / "results")
    for test in (False, True):
        code, said = publish(tmp_path, "influx", test=test, INFLUX_URL=influx.url, INFLUX_DATABASE="cellar")
        assert (code, "database not found" in said, "create the database cellar" in said) == (False, True, True)
    with influxdb(tmp_path / "guarded", user=("admin", "p@ss:word")) as guarded:
        url = guarded.url.replace("//", "//admin:wrong@")
        code, said = publish(tmp_path, "influx", INFLUX_URL=url)
        assert (code, "user and password in INFLUX_URL" in said, "wrong" in said) == (False, True, False)
        code, said = publish(tmp_path, "influx", INFLUX_URL=guarded.url.replace("//", "//admin:p%40ss%3Aword@"))
        assert (code, "p@ss" in said, "p%40" in said) == (True, False, False)


@pytest.mark.slow
def test_rows_that_a_store_will_never_take_hold_up_no_others(tmp_path: Path, influx: InfluxServer) -> None:
    influx.ask('alter retention policy "autogen" on "speedsnake" duration 168h')
    rows = [measured(utc(2020, 1, 1), HOME), measured(utc(2262, 5, 1), HOME)]
    keep(rows, tmp_path / "results")
    code, said = publish(tmp_path, "influx", INFLUX_URL=influx.url)
    assert (code, "partial write" in said) == (True, True)
    code, said = publish(tmp_path, "influx", INFLUX_URL=influx.url)
    assert (code, "sent 0 rows" in said) == (True, True)


@pytest.mark.slow
def test_victoria_metrics_has_every_figure_by_both_addresses(tmp_path: Path) -> None:
    rows = many(3)
    keep(rows, tmp_path / "results")
    with victoria_metrics(tmp_path / "victoria") as url:
        assert publish(tmp_path, "influx", INFLUX_URL=url)[0]
        assert publish(tmp_path, "influx", INFLUX_URL=f"{url}/write", INFLUX_BUCKET="b", INFLUX_ORG="o")[0]
        series = exported(url, "speedtest_download_mbps")
    by_database, by_bucket = (
        [each for each in series if ("db" in each["metric"]) == is_database] for is_database in (True, False)
    )
    for found in (by_database, by_bucket):
        times = {time for each in found for time in each["timestamps"]}
        assert times == {round(row.timestamp.timestamp() * 1000) for row in rows if row.download_mbps}
    assert {each["metric"]["location"] for each in series} == {HOME}


@pytest.mark.slow
def test_status_and_check_tell_how_a_receiver_stands(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26), HOME)], tmp_path / "results")
    with hook() as receiver:
        receiver.status = 503
        url = f"http://me:secret1@127.0.0.1:{receiver.port}/token2"
        publish(tmp_path, "webhook", WEBHOOK_URL=url)
        for command in ("status", "check"):
            ended = speedsnake(tmp_path, command, WEBHOOK_URL=url, SPEEDTEST_LOCATION_UUID=HOME)
            assert "HTTP 503" in ended.stdout
            assert "1 row of 2026-11-26 and later wait" in ended.stdout
            assert "secret1" not in ended.stdout + ended.stderr
            assert "token2" not in ended.stdout + ended.stderr


def test_a_batch_that_is_too_large_is_sent_in_halves(tmp_path: Path) -> None:
    rows = day_of(utc(2026, 11, 26), 8, HOME)
    keep(rows, tmp_path / "results")
    with hook() as receiver:
        receiver.status = lambda request: 413 if request.body.count(b"\n") > 2 else 204
        assert publish(tmp_path, "influx", INFLUX_URL=receiver.url)[0]
        lines = [line for request in receiver.got for line in request.body.splitlines()]
    assert len(lines) == len(rows)
    assert len(receiver.refused) == 3


def test_the_token_the_bucket_and_the_path_are_sent_as_they_were_set(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26), HOME)], tmp_path / "results")
    (tmp_path / "token").write_text("t0ken==\n")
    with hook() as receiver:
        code, said = publish(
            tmp_path,
            "influx",
            INFLUX_URL=f"http://127.0.0.1:{receiver.port}/base/",
            INFLUX_BUCKET="my bucket",
            INFLUX_ORG="Föhn & Söhne",
            INFLUX_TOKEN_FILE=os.fspath(tmp_path / "token"),
        )
        (request,) = receiver.got
    assert (code, "t0ken" in said) == (True, False)
    assert request.path == "/base/api/v2/write?bucket=my+bucket&org=F%C3%B6hn+%26+S%C3%B6hne&precision=ns"
    assert request.headers["authorization"] == "Token t0ken=="


def empty(receiver: Hook) -> None:
    receiver.status = lambda request: 204 if request.body else 400
    receiver.words = '{"code":"invalid","message":"writing requires points"}'


def test_influxdb_2_which_refuses_a_request_without_points_passes_the_test(tmp_path: Path) -> None:
    with hook() as receiver:
        empty(receiver)
        variables = {"INFLUX_URL": f"http://127.0.0.1:{receiver.port}", "INFLUX_BUCKET": "home", "INFLUX_TOKEN": "t"}
        code, said = publish(tmp_path, "influx", test=True, **variables)
    assert (code, "would take what is sent" in said) == (True, True)


def moved(receiver: Hook) -> None:
    receiver.status, receiver.headers = 301, {"Location": "http://127.0.0.1:9/elsewhere"}


def test_a_store_that_has_moved_is_not_followed(tmp_path: Path) -> None:
    keep([measured(utc(2026, 11, 26), HOME)], tmp_path / "results")
    with hook() as receiver:
        moved(receiver)
        code, said = publish(tmp_path, "influx", INFLUX_URL=receiver.url)
    assert (code, "set INFLUX_URL to its new address" in said) == (False, True)
