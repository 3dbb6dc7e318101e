"""Who may see the page: its password, the limit on wrong passwords, and the host names it answers to."""

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from daemon import PATIENCE, run
from pages import Page, serving
from views import folders

from speedtest.page.guard import MOST_WRONG, WITHIN_SECONDS, Guesses, is_local, network

SECRET = "pass:wörd 1"  # noqa: S105 (of a test)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Page]:
    with serving(folders(tmp_path, []), PAGE_PASSWORD=SECRET) as page:
        yield page


def basic(password: str, user: str = "anybody") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.slow
def test_the_password_opens_every_route_whatever_the_user_and_without_it_none_is_but_health(guarded: Page) -> None:
    for path in ("/", "/style.css", "/api/results", "/metrics", "/openapi.json", "/nothing"):
        refused = guarded.get(path)
        assert (refused.status_code, refused.headers["www-authenticate"][:5]) == (401, "Basic")
        assert guarded.get(path, Authorization=basic(SECRET, path)).status_code == (404 if path == "/nothing" else 200)
    assert guarded.get("/healthz").text == "ok\n"


def test_a_name_of_anywhere_is_answered_to_where_there_is_a_password(guarded: Page) -> None:
    assert guarded.get("/", Authorization=basic(SECRET), Host="speed.example.net").status_code == 200


@pytest.mark.slow
def test_an_address_that_guesses_has_to_wait_even_with_the_right_one(guarded: Page) -> None:
    wrong = [basic("wrong"), "Basic !!!", "Basic", "Bearer x", basic(""), basic(SECRET + "\n"), basic(SECRET[:-1])]
    for number in range(MOST_WRONG):
        assert guarded.get("/", Authorization=wrong[number % len(wrong)]).status_code == 401
    refused = guarded.get("/", Authorization=basic(SECRET))
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= WITHIN_SECONDS + 1
    assert guarded.get("/", **{"Authorization": basic(SECRET), "X-Forwarded-For": "192.0.2.7"}).status_code == 429
    assert guarded.get("/healthz").status_code == 200


@pytest.mark.slow
def test_asking_without_a_password_is_no_guess(guarded: Page) -> None:
    for _ in range(2 * MOST_WRONG):
        assert guarded.get("/").status_code == 401
    assert guarded.get("/", Authorization=basic(SECRET)).status_code == 200


@pytest.mark.slow
def test_the_password_is_not_told_in_any_log(guarded: Page) -> None:
    guarded.get("/", Authorization=basic(SECRET))
    guarded.get("/", Authorization=basic("wrong"))
    guarded.stop()
    assert SECRET not in guarded.stderr


def test_the_first_line_of_a_file_may_be_the_password(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\r\nanother\n")
    with serving(folders(tmp_path, []), PAGE_PASSWORD_FILE=str(tmp_path / "secret")) as page:
        assert page.get("/", Authorization=basic(SECRET)).status_code == 200
        assert page.get("/", Authorization=basic("another")).status_code == 401


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"", "first line"),
        (b"\nsecret", "first line"),
        (b"a\x07b", "first line"),
        (b"\xff\xfe", "UTF-8"),
        (b"x" * 4097, "4096 bytes"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_without_a_password_ends_it_with_78(tmp_path: Path, content: bytes | None, advice: str) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    ended = run(tmp_path, "page", PAGE_PASSWORD_FILE=str(tmp_path / "secret"))
    assert ended.returncode == 78
    assert advice in ended.stderr


def test_two_passwords_are_one_too_many(tmp_path: Path) -> None:
    ended = run(tmp_path, "page", PAGE_PASSWORD="a", PAGE_PASSWORD_FILE="b")  # noqa: S106 (of a test)
    assert (ended.returncode, "PAGE_PASSWORD_FILE" in ended.stderr) == (78, True)


def test_a_page_for_all_without_a_password_is_warned_of(tmp_path: Path) -> None:
    with serving(folders(tmp_path, []), PAGE_HOST="0.0.0.0") as page:  # noqa: S104 (that is what is tested)
        page.get("/healthz")
        assert '"page_unprotected"' in page.stderr


def test_without_a_password_only_names_that_nobody_else_can_hold_are_answered_to(tmp_path: Path) -> None:
    with serving(folders(tmp_path, [])) as page:
        refused = page.get("/", Host="rebound.example.net")
        assert refused.status_code == 421
        assert "set PAGE_PASSWORD" in refused.text
        assert page.get("/", Host="nas.local:8600").status_code == 200


@pytest.mark.slow
def test_a_name_in_the_list_is_answered_to_in_any_case_and_no_other_is(tmp_path: Path) -> None:
    with serving(folders(tmp_path, []), PAGE_ALLOWED_HOSTS="speed.Example.net, *.home.example.net") as page:
        for host in ("SPEED.example.NET.:443", "a.home.example.net", "nas.local."):
            assert page.get("/", Host=host).status_code == 200, host
        for host in ("example.net", "home.example.net", "xspeed.example.net", "speed.example.net.evil.example"):
            assert page.get("/", Host=host).status_code == 421, host


def test_a_request_line_may_name_the_whole_address_and_its_host_is_what_counts(tmp_path: Path) -> None:
    with serving(folders(tmp_path, [])) as page:
        assert said(page, "GET http://nas.local:8600/healthz HTTP/1.1", "evil.example").endswith("ok\n")
        assert said(page, "GET HTTP://NAS.local HTTP/1.1", "nas.local").startswith("HTTP/1.1 200")
        assert '"limit=0' in said(page, "GET http://nas.local/api/results?limit=0 HTTP/1.1", "nas.local")
        assert said(page, "GET http://evil.example/ HTTP/1.1", "127.0.0.1").startswith("HTTP/1.1 421")
        assert said(page, "POST http://nas.local/ HTTP/1.1", "nas.local").startswith("HTTP/1.1 405")


def said(page: Page, line: str, host: str) -> str:
    """Send a request as it stands and return the whole answer."""
    with socket.create_connection(("127.0.0.1", page.client.base_url.port), PATIENCE) as connection:
        connection.sendall(f"{line}\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return connection.makefile("rb").read().decode()


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("all", ("127.0.0.1", "[::1]")), ("::", ("127.0.0.1", "[::1]")), ("::1", ("[::1]",))],
)
def test_all_addresses_are_those_of_both_families(tmp_path: Path, host: str, addresses: tuple[str, ...]) -> None:
    with serving(folders(tmp_path, []), PAGE_HOST=host) as page:
        for address in addresses:
            assert httpx.get(f"http://{address}:{page.client.base_url.port}/healthz").status_code == 200


@pytest.mark.slow
def test_an_origin_that_is_named_may_show_the_page_in_a_frame_and_no_other_may(tmp_path: Path) -> None:
    with serving(folders(tmp_path, []), PAGE_FRAME_ANCESTORS="https://home.example.net:8123, self") as page:
        answer = page.get("/")
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["frame-ancestors"] == "https://home.example.net:8123 'self'"
        assert "x-frame-options" not in answer.headers


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8600", True),
        ("[::1]:8600", True),
        ("[::1]", True),
        ("192.0.2.1", True),
        ("localhost:8600", True),
        ("page", True),
        ("nas.lan", True),
        ("example.net", False),
        ("127.0.0.1.example.net", False),
        ("local.example", False),
        ("[evil.example]", False),
        ("NAS.LOCAL", True),
        ("nas.local.:8600", True),
        ("localhost.", True),
        ("LocalHost:8600", True),
        ("Example.NET.", False),
        ("nas.local.example.net", False),
    ],
)
def test_which_names_are_local(host: str, local: bool) -> None:  # noqa: FBT001 (a case)
    assert is_local(host) is local


def test_guesses_are_forgotten_after_a_minute_and_only_so_many_addresses_are_kept() -> None:
    now = [0.0]
    guesses = Guesses(lambda: now[0])
    for _ in range(MOST_WRONG):
        assert guesses.wait("a") == 0
        guesses.add("a")
        now[0] += 1
    assert guesses.wait("a") == WITHIN_SECONDS - MOST_WRONG
    now[0] = WITHIN_SECONDS
    assert guesses.wait("a") == 0
    for number in range(100_000):
        guesses.add(str(number))
    assert len(guesses) < 5000


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("unix", "unix"),
    ],
)
def test_a_network_of_ipv6_counts_as_one_caller(address: str, counted: str) -> None:
    assert network(address) == counted
