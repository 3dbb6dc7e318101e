"""The real speedtest-cli measures real bytes against the service's stand-in, and fails as with the real service."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from standins import programs
from standins.service import CLIENT, FAR, FAULTS, NEAR, Service

WRONG = [name for name, fault in FAULTS.items() if not fault.endless]
HANGING = [name for name, fault in FAULTS.items() if fault.endless]


def measure(program: Path, service: Service, *arguments: str, seconds: float = 60) -> tuple[int, str, str]:
    run = subprocess.run(
        [program, "--secure", "--json", *arguments],
        capture_output=True,
        text=True,
        env=programs.isolated() | service.environment,
        timeout=seconds,
        check=False,
    )
    return run.returncode, run.stdout, run.stderr


def result(stdout: str) -> dict[str, Any]:
    document = json.loads(stdout)
    assert isinstance(document, dict)
    return document


def test_the_real_program_moves_real_bytes_both_ways(speedtest_cli: Path) -> None:
    with Service() as service:
        code, out, err = measure(speedtest_cli, service)

    row = result(out)
    assert (code, err) == (0, "")
    assert 1_000_000 < row["bytes_received"] <= service.sent
    assert 1_000_000 < row["bytes_sent"] <= service.received
    assert row["download"] > 0
    assert row["upload"] > 0
    assert 0 < row["ping"] < 10_000
    assert row["client"] == CLIENT
    assert row["server"] == row["server"] | NEAR
    assert {"config", "servers", "latency", "download", "upload"} == set(service.requests)


def test_the_real_program_uses_the_server_it_is_given(speedtest_cli: Path) -> None:
    with Service() as service:
        code, out, _ = measure(speedtest_cli, service, "--server", FAR["id"])

    assert code == 0
    assert result(out)["server"] == result(out)["server"] | FAR


def test_the_real_program_refuses_a_server_that_is_not_listed(speedtest_cli: Path) -> None:
    with Service() as service:
        code, out, err = measure(speedtest_cli, service, "--server", "1")

    assert (code, out) == (1, "")
    assert "No matched servers: 1" in err


@pytest.mark.parametrize("name", WRONG)
def test_the_real_program_fails_as_the_table_says(speedtest_cli: Path, name: str) -> None:
    fault = FAULTS[name]

    with Service(name) as service:
        code, out, err = measure(speedtest_cli, service)

    assert code == fault.exit_code
    if code:
        assert out == ""
        assert fault.error in err
    elif fault.error_kind == "rejected":
        assert result(out)["ping"] >= 600_000 or result(out)["download"] == 0
    else:
        assert result(out)["upload"] > 0


@pytest.mark.parametrize("name", HANGING)
def test_the_real_program_waits_for_a_service_that_hangs(speedtest_cli: Path, name: str) -> None:
    with Service(name) as service, pytest.raises(subprocess.TimeoutExpired):
        measure(speedtest_cli, service, seconds=1)


def test_a_real_program_that_cannot_be_installed_fails_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV", "/bin/false")

    with pytest.raises(RuntimeError, match="uv run pytest"):
        programs.speedtest_cli(tmp_path / "tools", "python3")
