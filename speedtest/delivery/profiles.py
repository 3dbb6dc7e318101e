"""Credentials of a profile of the AWS tools, which obstore does not read: `~/.aws/credentials` and `~/.aws/config`.

A profile has keys, or a `credential_process`: a program that prints them as JSON
(https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html).
"""

import configparser
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from speedtest.delivery import refusals

PROCESS_SECONDS = 60.0
_NAMES = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
}


class _Printed(msgspec.Struct, rename="pascal"):
    """What a `credential_process` prints."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None


def of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the keys and the region of the profile AWS_PROFILE, or of `default`, by obstore's names; empty if none.

    Raises `refusals.StoreRefused` if its program prints no credentials.
    """
    found = _settings(environment)
    keys = {ours: found[theirs] for theirs, ours in _NAMES.items() if theirs in found}
    if "access_key_id" not in keys and (command := found.get("credential_process")):
        printed = _printed(command, environment)
        keys |= {name: value for name, value in msgspec.structs.asdict(printed).items() if value}
    return keys


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    home = Path(environment.get("HOME") or "/nonexistent") / ".aws"
    profile = environment.get("AWS_PROFILE") or "default"
    config = Path(environment.get("AWS_CONFIG_FILE") or home / "config")
    credentials = Path(environment.get("AWS_SHARED_CREDENTIALS_FILE") or home / "credentials")
    named = profile if profile == "default" else f"profile {profile}"
    return _section(config, named) | _section(credentials, profile)


def _section(path: Path, name: str) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}  # no such file, as on most machines; one that cannot be read has no credentials either
    return dict(parser[name]) if parser.has_section(name) else {}


def _printed(command: str, environment: Mapping[str, str]) -> _Printed:
    try:
        ended = subprocess.run(
            shlex.split(command), env=dict(environment), capture_output=True, timeout=PROCESS_SECONDS, check=True
        )
        return msgspec.json.decode(ended.stdout, type=_Printed)
    except (OSError, ValueError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        name = (shlex.split(command) or [command])[0] if command.count('"') % 2 == 0 else command
        raise refusals.no_credentials(f"the credential_process {name} printed none") from error
