"""Read and write `CONTRACT_FILE`: TOML with the sections `contract`, `contract.download`, `contract.upload`, `dates`.

Numbers are as printed in the contract. What is missing is not assessed. A key that is not known, and a value that is
not allowed or impossible, is refused: a figure that is overlooked would be a verdict that is wrong.
"""

import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from speedtest.data.files import whole
from speedtest.environment import Settings
from speedtest.values import names
from speedtest.values.misspelt import nearest
from speedtest.verdicts.contract import DIRECTIONS, Contract, Direction, Speeds
from speedtest.verdicts.contract_keys import KEYS, ContractSection

LARGEST = 1 << 20
_SECTIONS: tuple[ContractSection, ...] = ("contract", "contract.download", "contract.upload", "dates")
_ORDER = ("minimum", "normal", "maximum")

type ContractValues = dict[str, Any]
"""Values by the path of their key."""


class WrongContract(Exception):
    """The file cannot be used. `lines` has one line for each mistake, with the key, the value and what is allowed."""

    def __init__(self, lines: list[str]) -> None:
        """Take the lines to show."""
        self.lines = lines
        super().__init__("\n".join(lines))


def of(settings: Settings) -> Contract:
    """Return the contract in `CONTRACT_FILE`, or an empty one. Advertised speeds that it does not have are the plan's.

    Raises WrongContract with all mistakes.
    """
    contract = contract_of(values(settings.contract_file)) if settings.contract_file else Contract()
    return msgspec.structs.replace(
        contract,
        download=_with_plan(contract.download, settings.plan_download_mbps),
        upload=_with_plan(contract.upload, settings.plan_upload_mbps),
        expected_isps=names.split(settings.expect_isp),
    )


def _with_plan(speeds: Speeds, plan_mbps: float | None) -> Speeds:
    return speeds if speeds.advertised or not plan_mbps else msgspec.structs.replace(speeds, advertised=plan_mbps)


def values(path: Path) -> ContractValues:
    """Return the values in a file. Raises WrongContract if it cannot be read, or with all mistakes in it."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise WrongContract([f"CONTRACT_FILE {path} is larger than 1 MiB: it is not a contract file"])
        found = tomllib.loads(data.decode())
    except OSError as error:
        advice = "`speedsnake contract init` writes one"
        raise WrongContract([f"CONTRACT_FILE {path} cannot be read: {error.strerror}; {advice}"]) from error
    except (ValueError, RecursionError) as error:  # not UTF-8, not TOML, or too deep
        raise WrongContract([f"CONTRACT_FILE {path} is not TOML: {error}"]) from error
    checked, wrong = _checked(found)
    wrong = wrong or impossible(checked)
    if wrong:
        raise WrongContract([f"CONTRACT_FILE {path}: {line}" for line in wrong])
    return checked


def contract_of(checked: Mapping[str, Any]) -> Contract:
    """Return the contract that has these values."""
    parts: dict[ContractSection, dict[str, Any]] = {section: {} for section in _SECTIONS}
    for key in KEYS:
        if key.path in checked:
            parts[key.section][key.name] = checked[key.path]
    return msgspec.convert(
        parts["contract"]
        | {"download": parts["contract.download"], "upload": parts["contract.upload"], "dates": parts["dates"]},
        Contract,
    )


def write(path: Path, checked: Mapping[str, Any]) -> None:
    """Write a contract file, each key with what it means. Raises OSError if the disk refuses."""
    with whole(path) as out:
        out.write(written(checked).encode())


def written(checked: Mapping[str, Any]) -> str:
    """Return a contract file as text. A key without a value is a comment."""
    lines = ["# What your contract promises. Speeds are Mbit/s. What is missing is not assessed."]
    for section in _SECTIONS:
        lines += ["", f"[{section}]"]
        for key in (key for key in KEYS if key.section == section):
            value = checked.get(key.path)
            setting = f"# {key.name} =" if value is None else f"{key.name} = {as_toml(value)}"
            lines += [f"# {key.meaning}", setting]
    return "\n".join(lines) + "\n"


def as_toml(value: object) -> str:
    """Return a value as the file has it."""
    match value:
        case bool():
            return str(value).lower()
        case date():
            return value.isoformat()
        case float() | int():
            return f"{value:.15g}"
        case _:
            return json.dumps(str(value), ensure_ascii=False)  # a basic string of TOML is written as in JSON


def _checked(found: Mapping[str, Any]) -> tuple[ContractValues, list[str]]:
    """Return the values that are allowed, and a line for each mistake."""
    known = {key.path: key for key in KEYS}
    checked: ContractValues = {}
    wrong: list[str] = []
    for path, value in _flat(found):
        if path in _SECTIONS:
            wrong.append(f"{path} must be a section: write [{path}] and the figures below it")
            continue
        if path not in known:
            wrong.append(f"{path} is not a key; did you mean {nearest(path, [*known, *_SECTIONS])}?")
            continue
        try:
            checked[path] = known[path].check(value)
        except (ValueError, OverflowError):
            wrong.append(f"{path} = {_shown(value)} is not allowed: it must be {known[path].allowed}")
    return checked, wrong


def _flat(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict) and path in _SECTIONS:
            yield from _flat(value, f"{path}.")
        else:
            yield path, value


def _shown(value: object) -> str:
    text = value.isoformat() if isinstance(value, date) else repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"  # noqa: PLR2004 (a line of a message)


def impossible(checked: ContractValues) -> list[str]:
    """Return a line for each pair of values that no contract can have."""
    return [*(line for direction in DIRECTIONS for line in _out_of_order(checked, direction)), *_dates(checked)]


def _out_of_order(checked: ContractValues, direction: Direction) -> Iterator[str]:
    section = f"contract.{direction}"
    named = [(name, checked[f"{section}.{name}"]) for name in _ORDER if f"{section}.{name}" in checked]
    for (low, less), (high, more) in itertools.pairwise(named):
        if less > more:
            yield f"{section}.{low} = {less:g} is above {section}.{high} = {more:g}: look into the contract again"


def _dates(checked: ContractValues) -> Iterator[str]:
    reported, ended = checked.get("dates.fault_reported"), checked.get("dates.fault_ended")
    if reported and ended and ended < reported:
        yield f"dates.fault_ended = {ended} is before dates.fault_reported = {reported}"
