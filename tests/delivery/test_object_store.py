"""A real object store, SeaweedFS: what is delivered, by which calls, and what is said when it refuses."""

import fnmatch
import json
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import object_store
import pytest
import yaml
from command import speedsnake
from daemon import run
from object_store import ObjectServer, Proxy, needs_seaweed
from paths import PROJECT
from samples import HOME, day_of, keep, utc

from speedtest.data.conversion import convert
from speedtest.data.partitions import Folders

pytestmark = [pytest.mark.slow, pytest.mark.skipif(needs_seaweed() is not None, reason=str(needs_seaweed()))]

DAY = utc(2026, 3, 1)
KEY = f"location={HOME}/year=2026/month=03/day=01/speedtest_001.parquet"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    with object_store.seaweed(tmp_path_factory.mktemp("seaweed")) as server:
        yield server


@pytest.fixture
def proxy(server: ObjectServer) -> Iterator[Proxy]:
    with object_store.proxy_before(server.s3) as proxy:
        yield proxy


@pytest.fixture
def lake(tmp_path: Path) -> Folders:
    here = Folders(tmp_path / "results", tmp_path / "uploads")
    keep(day_of(DAY, 4), here.result_dir)
    assert convert(here, HOME, (DAY + timedelta(days=1)).date()) == 0
    return here


def policy_of_the_template() -> tuple[set[str], list[str]]:
    """Return the actions and the resources that the uploader's role allows, for this location."""

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short functions as their arguments."""

    def argument(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> object:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else None

    Loader.add_multi_constructor("!", argument)
    template = yaml.load((PROJECT / "infrastructure/template.yml").read_text(), Loader)  # noqa: S506 (a SafeLoader)
    (policy,) = template["Resources"]["UploaderRole"]["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    resources = ["".join(parts).split("BucketSuffix}/", 1)[1] for _, parts in statement["Resource"]]
    return set(statement["Action"]), [text.replace("${aws:PrincipalTag/location}", HOME) for text in resources]


def test_a_delivery_needs_exactly_the_calls_that_the_uploader_s_role_allows(
    server: ObjectServer, proxy: Proxy, lake: Folders, tmp_path: Path
) -> None:
    settings: dict[str, Any] = server.variables("uploads", proxy.endpoint) | {"SPEEDTEST_LOCATION_UUID": HOME}
    first = run(tmp_path, "deliver", **settings)
    assert first.returncode == 0, first.stderr
    again = run(tmp_path, "deliver", **settings, DELIVER_KEEP_DAYS="30")
    assert (again.returncode, list(lake.upload_dir.rglob("*.parquet"))) == (0, [])
    actions, resources = policy_of_the_template()
    calls = {({"PUT": "s3:PutObject", "GET": "s3:GetObject"}[each.method], each.key) for each in proxy.requests}
    assert {action for action, _ in calls} == actions
    assert all(any(fnmatch.fnmatch(key, resource) for resource in resources) for _, key in calls)
    assert server.keys("uploads") == [f"uploads/.probe/location={HOME}", f"uploads/{KEY}"]
    assert settings["DELIVER_SECRET_KEY"] not in first.stderr + again.stderr


@pytest.mark.parametrize(
    ("setting", "answer"),
    [
        ({"DELIVER_SECRET_KEY": "wrong-secret"}, (os.EX_CONFIG, "SignatureDoesNotMatch")),
        ({"DELIVER_ACCESS_KEY": "nobody"}, (os.EX_CONFIG, "InvalidAccessKeyId")),
        ({"DELIVER_TO": "s3://elsewhere/uploads"}, (os.EX_CONFIG, "AccessDenied")),
        ({"DELIVER_ENDPOINT": "http://127.0.0.1:1"}, (1, "cannot be reached")),
    ],
    ids=["secret", "key", "bucket", "endpoint"],
)
def test_check_says_why_nothing_can_be_delivered_and_what_to_do(
    server: ObjectServer, lake: Folders, tmp_path: Path, setting: dict[str, str], answer: tuple[int, str]
) -> None:
    settings: dict[str, Any] = server.variables() | {"SPEEDTEST_LOCATION_UUID": HOME} | setting
    code, words = answer
    ended = speedsnake(tmp_path, "check", "--json", **settings)
    assert ended.returncode == code, ended.stderr
    said = json.loads(ended.stdout)["delivery"]
    assert (words in said["why_not"], "wrong-secret" in ended.stdout + ended.stderr) == (True, False)
    delivered = run(tmp_path, "deliver", **settings)
    assert (delivered.returncode, words in delivered.stderr, "wrong-secret" in delivered.stderr) == (code, True, False)
    assert list(lake.upload_dir.rglob("*.parquet"))


def test_check_puts_an_empty_probe_and_reads_it(server: ObjectServer, tmp_path: Path) -> None:
    folder = uuid.uuid4().hex
    settings: dict[str, Any] = server.variables(folder) | {"SPEEDTEST_LOCATION_UUID": HOME, "SPEEDTEST_ENGINE": "http"}
    ended = speedsnake(tmp_path, "check", **settings)
    assert ended.returncode == 0, ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if line.startswith("DELIVER_TO reachable")]
    assert line.split()[-1] == "yes"
    assert server.keys(folder) == [f"{folder}/.probe/location={HOME}"]
    assert server.get(f"{folder}/.probe/location={HOME}") == b""


def test_a_store_that_overwrites_gets_no_file(
    server: ObjectServer, proxy: Proxy, lake: Folders, tmp_path: Path
) -> None:
    def ignore_the_condition(_: object_store.Request, forward: object_store.Forward) -> object_store.Answer:
        answer = forward()
        return object_store.Answer(200, b"", {"ETag": '"0"'}) if answer.status == 412 else answer

    proxy.reset(ignore_the_condition)
    folder = uuid.uuid4().hex
    settings: dict[str, Any] = server.variables(folder, proxy.endpoint) | {"SPEEDTEST_LOCATION_UUID": HOME}
    ended = run(tmp_path, "deliver", **settings)
    assert (ended.returncode, "it overwrote its probe" in ended.stderr) == (os.EX_CONFIG, True)
    assert server.keys(folder) == [f"{folder}/.probe/location={HOME}"]
    assert list(lake.upload_dir.rglob("*.parquet"))
