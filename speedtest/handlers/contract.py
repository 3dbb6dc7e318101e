"""Write and show the contract file that verdicts need: `speedsnake contract init`, `speedsnake contract show`.

Exit codes: 0 done · 1 the file cannot be written · 64 wrong arguments, or no terminal to ask in · 78 wrong
configuration, or a contract file with mistakes · 130 ended by Ctrl-C: nothing is written.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from speedtest.terminal import console, exits, startup
from speedtest.terminal.command import alone
from speedtest.variables import REPORT

DEFAULT = Path("contract.toml")


class ContractAction(StrEnum):
    """What to do with the file."""

    init = "init"
    show = "show"


def contract(
    action: Annotated[ContractAction, typer.Argument(help="init asks and writes the file; show prints it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="show: print one JSON object.")] = False,
) -> None:
    """Write or show what your contract promises.

    `init` asks for each figure, says what it means, and writes CONTRACT_FILE, else contract.toml. If the file is there,
    its values are kept unless you type others. `show` prints the file as `verdict` reads it.

    Exit codes: 0 done, 1 the file cannot be written, 64 wrong arguments or no terminal, 78 wrong configuration or
    contract file, 130 ended by Ctrl-C.
    """
    settings = startup.settings(REPORT)

    from speedtest.verdicts import contract_file  # noqa: PLC0415 (help must come at once)

    try:
        if action is ContractAction.init:
            _init(settings.contract_file or DEFAULT, is_named=settings.contract_file is not None)
        elif settings.contract_file is None:
            exits.end(exits.MISCONFIGURED, "CONTRACT_FILE is not set: `speedsnake contract init` writes a file")
        else:
            _show(settings.contract_file, as_json=as_json)
    except contract_file.WrongContract as wrong:
        exits.end(exits.MISCONFIGURED, *wrong.lines)


def _init(path: Path, *, is_named: bool) -> None:
    from speedtest.verdicts import asking, contract_file  # noqa: PLC0415 (see above)

    if not sys.stdin.isatty():
        advice = "run it in a terminal, or write the file by hand: docs/verdicts.md has an example"
        exits.end(os.EX_USAGE, f"there is no terminal to ask in: {advice}")
    known = contract_file.values(path) if path.exists() else {}
    try:
        values = asking.ask(asking.Person(_say, input), known)
        contract_file.write(path, values)
    except EOFError:
        exits.end(os.EX_USAGE, "", f"the input ended: {path} was not written")
    except KeyboardInterrupt:
        exits.end(exits.INTERRUPTED, "", f"{path} was not written")
    except OSError as error:
        exits.end(exits.FAILED, f"{path} cannot be written: {error.strerror}")
    _say(f"written: {path}" if is_named else f"written: {path}; set CONTRACT_FILE={path.resolve()}")


def _show(path: Path, *, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 (see above)

    from speedtest.verdicts import contract_file  # noqa: PLC0415
    from speedtest.verdicts.contract_keys import KEYS  # noqa: PLC0415

    values = contract_file.values(path)
    if as_json:
        sys.stdout.write(msgspec.json.encode(contract_file.contract_of(values)).decode() + "\n")
        return
    for key in KEYS:
        if key.path in values:
            console.console().print(console.line(key.path, contract_file.as_toml(values[key.path])))


def _say(text: str) -> None:
    console.console().print(console.shown(text, 1000))


if __name__ == "__main__":
    alone(contract)
