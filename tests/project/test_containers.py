"""Check the structure of the container files. `./bootstrap.sh image` builds and runs the image."""

import hashlib
import os
import re
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from paths import PROJECT

README = (PROJECT / "README.md").read_text()
PRODUCTION = "docker/production"
DEVELOPMENT = "docker/development"
FOLDERS = {"RESULT_DIR": "/app/results", "UPLOAD_DIR": "/app/uploads", "LOG_DIR": "/app/logs"}
"""The image sets these, because they are its volumes."""


def service(folder: str, name: str = "speedtest") -> dict[str, Any]:
    """Return a service of a compose file, by default the daemon's."""
    return dict(yaml.safe_load((PROJECT / folder / "docker-compose.yml").read_text())["services"][name])


def documented(title: str) -> dict[str, str]:
    """Return the variables and defaults that a section of the README lists."""
    section = README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`(.+?)`|none|the machine's) \|", section, re.MULTILINE)
    assert len(rows) > 5
    return dict(rows)


@pytest.mark.parametrize(("folder", "interval", "level"), [(PRODUCTION, "600", "INFO"), (DEVELOPMENT, "30", "DEBUG")])
def test_compose_passes_every_variable_on_with_its_default(folder: str, interval: str, level: str) -> None:
    passed = service(folder)["environment"]
    defaults = documented("Configuration") | {"SLEEP_SECONDS": interval, "LOG_LEVEL": level, "TZ": "UTC"}
    for name, default in defaults.items():
        if name not in FOLDERS and name != "COMMIT_HASH":
            assert passed[name] == f"${{{name}:-{default}}}"
    assert not set(passed) & set(FOLDERS)


def test_compose_passes_the_page_s_variables_on_and_publishes_it_on_this_machine_only() -> None:
    page = service(PRODUCTION, "page")
    for name, default in documented("For those who look").items():
        if name in ("PAGE_HOST", "PAGE_PORT"):
            assert f"${{{name}:-{default}}}" in page["ports"][0]
        elif name != "PAGE_PASSWORD_FILE":  # its file would have to be in the container
            assert page["environment"][name] == f"${{{name}:-{default}}}"
    assert page["environment"]["PAGE_HOST"] == "all"  # inside its container
    assert page["ports"][0].endswith(f":{page['environment']['PAGE_PORT']}")


def test_the_page_only_reads_and_comes_only_when_it_is_asked_for() -> None:
    page, daemon = service(PRODUCTION, "page"), service(PRODUCTION)
    assert page["profiles"] == ["page"]
    assert page["image"] == daemon["image"]
    assert {f"{volume}:ro" for volume in daemon["volumes"] if "logs" not in volume} == set(page["volumes"])
    assert page["command"] == ["python", "-m", "speedtest.handlers.page"]
    assert "/healthz" in str(page["healthcheck"]["test"])


@pytest.mark.parametrize("name", ["speedtest", "page"])
def test_a_production_service_is_hardened(name: str) -> None:
    production = service(PRODUCTION, name)
    assert production["read_only"] is True
    assert production["cap_drop"] == ["ALL"]
    assert production["security_opt"] == ["no-new-privileges:true"]
    assert production["init"] is True
    assert production["restart"] == "unless-stopped"
    assert {"mem_limit", "cpus", "pids_limit", "stop_grace_period", "tmpfs"} <= set(production)


def test_the_daemon_s_folders_are_volumes() -> None:
    assert {volume.partition(":")[2] for volume in service(PRODUCTION)["volumes"]} == set(FOLDERS.values())


def test_the_production_service_runs_what_the_quick_start_pulls() -> None:
    (image,) = re.findall(r"^  (\S+:latest)$", README, re.MULTILINE)
    assert service(PRODUCTION)["image"] == f"${{SPEEDSNAKE_IMAGE:-{image}}}"


@pytest.mark.parametrize("folder", [PRODUCTION, DEVELOPMENT])
def test_an_image_starts_from_what_is_pinned_by_version_and_digest(folder: str) -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", (PROJECT / folder / "Dockerfile").read_text(), re.MULTILINE)
    named = {name for _, name in stages}
    bases = [base for base, _ in stages if base not in named]
    assert bases
    for base in bases:
        assert re.fullmatch(r"[a-z./-]+:\d+\.\d+\.\d+[a-z-]*@sha256:[0-9a-f]{64}", base)


def test_both_images_start_from_the_same() -> None:
    pins = [
        set(re.findall(r"^FROM (\S+@\S+)", (PROJECT / folder / "Dockerfile").read_text(), re.MULTILINE))
        for folder in (PRODUCTION, DEVELOPMENT)
    ]
    assert pins[0] == pins[1]


def test_the_production_image_sets_what_compose_leaves_to_it() -> None:
    dockerfile = (PROJECT / PRODUCTION / "Dockerfile").read_text()
    assert "SLEEP_SECONDS=600" in dockerfile
    for name, folder in FOLDERS.items():
        assert f"{name}={folder}" in dockerfile
    assert 'CMD ["python", "-m", "speedtest.handlers.loop"]' in dockerfile
    assert re.search(
        r"^HEALTHCHECK .*\n +CMD \[\"python\", \"-m\", \"speedtest.handlers.healthcheck\"\]", dockerfile, re.MULTILINE
    )
    assert re.search(r"^USER \d+:\d+$", dockerfile, re.MULTILINE)


def bring_ookla(folder: Path, processor: str, checksum: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the image build's download of Ookla's CLI, from a folder that holds only an archive for aarch64."""
    (folder / "speedtest").write_text("a program")
    archive = folder / "ookla-speedtest-1.2.0-linux-aarch64.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / "speedtest", "speedtest")
    (folder / "bin").mkdir()
    settings = {
        "PATH": os.environ["PATH"],
        "TARGETARCH": processor,
        "OOKLA_URL": folder.as_uri(),
        "OOKLA_SHA256": hashlib.sha256(archive.read_bytes()).hexdigest() if checksum is None else checksum,
    }
    command = [PROJECT / "docker" / "ookla.sh", folder / "bin"]
    return subprocess.run(command, env=settings, capture_output=True, text=True, check=False)


def test_the_build_brings_ookla_s_program_for_the_image_s_processor(tmp_path: Path) -> None:
    done = bring_ookla(tmp_path, "arm64")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bin" / "speedtest").read_text() == "a program"


@pytest.mark.parametrize("checksum", ["0" * 64, ""], ids=["another checksum", "the pinned checksum"])
def test_the_build_refuses_an_archive_that_is_not_the_pinned_one(tmp_path: Path, checksum: str) -> None:
    done = bring_ookla(tmp_path, "arm64", checksum)
    assert done.returncode != 0
    assert "FAILED" in done.stdout
    assert not (tmp_path / "bin" / "speedtest").exists()


def test_the_build_says_for_which_processor_nothing_is_pinned(tmp_path: Path) -> None:
    done = bring_ookla(tmp_path, "riscv64")
    assert done.returncode == 69
    assert "riscv64" in done.stderr
