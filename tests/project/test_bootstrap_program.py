"""`./bootstrap.sh setup`: where the speed-test program comes from."""

import shutil
from pathlib import Path

import machine
import pytest
from machine import OOKLA_ANSWER, UNAVAILABLE, Machine, Server, nobody_listening

X86_64 = "ookla-speedtest-1.2.0-linux-x86_64.tgz"


def test_set_up_brings_the_pinned_program_of_ookla_and_shows_its_licence_once(fresh: Machine, internet: Server) -> None:
    internet.files[X86_64] = machine.archive(OOKLA_ANSWER, "speedtest.md", "speedtest.5")
    fresh.pin(internet.files)

    first = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url)
    assert first.returncode == 0, first.stderr
    assert first.stderr.count("https://www.speedtest.net/about/eula") == 1
    assert fresh.brought == {"speedtest"}
    assert (fresh.project / ".venv/bin/speedtest").read_text() == OOKLA_ANSWER

    second = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url, UV_OFFLINE="1")
    assert second.returncode == 0, second.stderr
    assert "eula" not in second.stderr
    assert internet.asked == [X86_64]


def test_an_archive_that_was_tampered_with_is_refused_loudly_deleted_and_never_run(
    fresh: Machine, internet: Server
) -> None:
    trace = fresh.home / "it-ran"
    fresh.pin({X86_64: machine.archive(OOKLA_ANSWER)})
    internet.files[X86_64] = machine.archive(f"#!/bin/sh\ntouch '{trace}'\necho 'Speedtest by Ookla 1.2.0.84'\n")

    ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url, SPEEDTEST_ENGINE="ookla")
    assert ended.returncode == UNAVAILABLE
    assert "REFUSED" in ended.stderr
    assert fresh.brought == set()
    assert not trace.exists()


def test_a_program_of_ookla_that_does_not_run_here_is_deleted(fresh: Machine, internet: Server) -> None:
    internet.files[X86_64] = machine.archive("#!/bin/sh\nexit 126\n")
    fresh.pin(internet.files)

    ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url, SPEEDTEST_ENGINE="ookla")
    assert ended.returncode == UNAVAILABLE
    assert "does not run on this machine" in ended.stderr
    assert "eula" not in ended.stderr
    assert fresh.brought == set()


@pytest.mark.slow
def test_the_archive_is_that_of_the_processor(fresh: Machine, internet: Server) -> None:
    processors = {
        "x86_64": "x86_64",
        "amd64": "x86_64",
        "aarch64": "aarch64",
        "arm64": "aarch64",
        "armv7l": "armhf",
        "armv8l": "armhf",
        "armv6l": "armel",
        "i386": "i386",
        "i686": "i386",
    }
    for processor in processors:
        fresh.program("uname", f'#!/bin/sh\n[ "$1" = -s ] && echo Linux || echo {processor}\n')
        ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url, SPEEDTEST_ENGINE="ookla")
        assert ended.returncode == UNAVAILABLE
    assert internet.asked == [f"ookla-speedtest-1.2.0-linux-{name}.tgz" for name in processors.values()]


@pytest.mark.parametrize(("system", "processor"), [("Linux", "riscv64"), ("Darwin", "arm64")])
def test_a_machine_that_no_archive_is_pinned_for_is_told_so_and_nothing_is_asked_for(
    fresh: Machine, internet: Server, system: str, processor: str
) -> None:
    fresh.program("uname", f'#!/bin/sh\n[ "$1" = -s ] && echo {system} || echo {processor}\n')
    ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url, SPEEDTEST_ENGINE="ookla")
    assert ended.returncode == UNAVAILABLE
    assert f"pinned for {system} on {processor}" in ended.stderr
    assert internet.asked == []


@pytest.mark.slow
def test_without_any_program_to_be_had_our_own_measures_unless_another_is_asked_for(
    fresh: Machine, tmp_path: Path
) -> None:
    no_packages = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "empty")}
    fresh.program("speedtest", OOKLA_ANSWER)
    assert fresh.bootstrap("setup").returncode == 0
    fresh.remove("speedtest")
    with nobody_listening() as refused:
        ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=refused, **no_packages)
        strict = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=refused, SPEEDTEST_ENGINE="ookla", **no_packages)
        ours = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=refused, SPEEDTEST_ENGINE="http", **no_packages)
    for said in (ended.stderr, strict.stderr):
        assert f"could not be downloaded from {refused}/{X86_64}" in said
        assert "put Ookla's 'speedtest'" in said
    assert (ended.returncode, "SpeedSnake's own program measures" in ended.stderr) == (0, True)
    assert strict.returncode == UNAVAILABLE
    assert (ours.returncode, "could not be" in ours.stderr) == (0, False)


@pytest.mark.parametrize(("name", "answer"), [("speedtest", OOKLA_ANSWER), ("speedtest-cli", "speedtest-cli 2.1.3")])
def test_a_program_that_is_there_is_used_as_it_is(fresh: Machine, internet: Server, name: str, answer: str) -> None:
    fresh.program(name, answer if answer.startswith("#!") else f"#!/bin/sh\necho '{answer}'\n")
    ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url)
    assert ended.returncode == 0, ended.stderr
    assert internet.asked == []
    assert fresh.brought == set()


def test_one_who_asks_for_the_free_program_gets_nothing_of_ookla(
    fresh: Machine, internet: Server, tmp_path: Path
) -> None:
    fresh.program("speedtest", OOKLA_ANSWER)
    assert fresh.bootstrap("setup").returncode == 0
    ended = fresh.bootstrap(
        "setup",
        BOOTSTRAP_OOKLA_URL=internet.url,
        SPEEDTEST_ENGINE="speedtest-cli",
        UV_OFFLINE="1",
        UV_CACHE_DIR=str(tmp_path / "empty"),
    )
    assert ended.returncode == UNAVAILABLE
    assert internet.asked == []


@pytest.mark.parametrize("downloader", ["curl", "wget"])
def test_one_of_curl_and_wget_is_enough(fresh: Machine, internet: Server, downloader: str) -> None:
    found = shutil.which(downloader)
    if not found:
        pytest.skip(f"{downloader} is not on this machine")
    fresh.remove("curl")
    fresh.link(downloader, found)
    internet.files[X86_64] = machine.archive(OOKLA_ANSWER)
    fresh.pin(internet.files)
    ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url)
    assert ended.returncode == 0, ended.stderr
    assert fresh.brought == {"speedtest"}


def test_without_curl_and_wget_the_missing_download_says_why(fresh: Machine) -> None:
    fresh.remove("curl")
    ended = fresh.bootstrap("setup", SPEEDTEST_ENGINE="ookla")
    assert ended.returncode == UNAVAILABLE
    assert "neither curl nor wget" in ended.stderr


def test_a_speedtest_cli_that_an_earlier_run_brought_is_used_again(fresh: Machine, internet: Server) -> None:
    earlier = fresh.project / ".tools/speedtest-cli/bin"
    earlier.mkdir(parents=True)
    machine.write_program(earlier / "speedtest-cli", "#!/bin/sh\necho speedtest-cli 2.1.3\n")
    ended = fresh.bootstrap("setup", BOOTSTRAP_OOKLA_URL=internet.url, UV_OFFLINE="1")
    assert ended.returncode == 0, ended.stderr
    assert "installing" not in ended.stderr
    assert (fresh.project / ".venv/bin/speedtest-cli").resolve() == earlier / "speedtest-cli"
