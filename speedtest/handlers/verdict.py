"""Judge a line by the rules of a country: `speedsnake verdict`.

Exit codes: 0 pass, or the list was printed · 1 a file of the lake cannot be read · 3 fail · 4 insufficient ·
5 not assessed · 64 wrong arguments · 78 wrong configuration or contract file.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speedtest.data.files import whole
from speedtest.data.partitions import Folders
from speedtest.environment import Settings
from speedtest.terminal import console, exits, startup
from speedtest.terminal.command import alone
from speedtest.terminal.options import Locations, Output, Since, Until
from speedtest.values.misspelt import nearest
from speedtest.values.period import Unclear
from speedtest.variables import REPORT

if TYPE_CHECKING:
    from speedtest.verdicts.contract import Contract
    from speedtest.verdicts.profile import Profile
    from speedtest.verdicts.reading import VerdictQuestion
    from speedtest.verdicts.types import Verdict

_STYLES = {"pass": "green", "fail": "red", "insufficient": "yellow", "not_assessed": "yellow"}


def verdict(  # noqa: PLR0913 (each is an option)
    *,
    name: Annotated[str | None, typer.Option("--profile", metavar="NAME", help="The rules to judge by.")] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List all profiles, with their sources.")] = False,
    contract_check: Annotated[
        bool, typer.Option("--contract-only", help="Judge only the contract's own figures, without any test.")
    ] = False,
    since: Since = None,
    until: Until = None,
    location: Locations = None,
    engine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only tests by this engine, instead of the one with most.")
    ] = None,
    second_hand: Annotated[
        bool, typer.Option("--allow-second-hand", help="Allow profiles whose rules were not read in the original.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object (docs/verdict.schema.json).")] = False,
    output: Output = None,
    language: Annotated[
        str | None, typer.Option(metavar="NAME", help="With -o: the language, such as en. Default: the country's.")
    ] = None,
    stamp: Annotated[
        str | None, typer.Option(metavar="URL", help="With -o: ask this time-stamp authority (RFC 3161) for a stamp.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Check a document that -o wrote, and judge its rows again.")
    ] = None,
    stamp_ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --verify: the root certificate of the authority, PEM.")
    ] = None,
) -> None:
    """Judge the line by the rules of a country.

    Holds the tests against the contract in CONTRACT_FILE, by the rules of the profile. Prints the verdict of each
    rule, how the tests were chosen, and the rows that decide. Not legal advice: where an authority has its own tool,
    only that tool proves it.

    With -o FILE.html or FILE.pdf, writes a document of evidence, in the language of the country, that --verify can
    check later.

    Exit codes: 0 pass, 1 a file cannot be read, 3 fail, 4 insufficient, 5 not assessed, 64 wrong arguments, 78 wrong
    configuration or contract file.
    """
    settings = startup.settings(REPORT)
    startup.warn_of_unknown_variables()

    from speedtest.verdicts import judge  # noqa: PLC0415 (help and completion do not need it)
    from speedtest.verdicts.types import encode  # noqa: PLC0415

    if show_list:
        _list(as_json=as_json)
        return
    if verify:
        _verify(verify, Folders(settings.result_dir, settings.upload_dir), stamp_ca)
        return
    profile = _profile(name, second_hand=second_hand)
    contract = _contract(settings)
    folders = Folders(settings.result_dir, settings.upload_dir)
    if output:
        _check_document(output, language, stamp, contract_check=contract_check)
        with _told():
            asked = _question(folders, location or [], since, until, engine)
            found = _document(settings, output, asked, contract, profile, language=language, stamp=stamp)
        sys.exit(exits.VERDICTS[found.overall])
    if contract_check:
        found = judge.contract_only(contract, profile)
    else:
        found = _judged(folders, profile, contract, lambda: _question(folders, location or [], since, until, engine))
    sys.stdout.write(encode(found).decode() + "\n") if as_json else _say(found)
    sys.exit(exits.VERDICTS[found.overall])


def _profile(name: str | None, *, second_hand: bool) -> "Profile":
    """Return the profile of this name, or say which one may be meant."""
    from speedtest.verdicts.profiles import PROFILES  # noqa: PLC0415 (see above)

    if name is None:
        exits.end(os.EX_USAGE, "name the rules to judge by: --profile NAME; `speedsnake verdict --list` shows them all")
    if name not in PROFILES:
        meant = nearest(name, [*PROFILES])
        exits.end(os.EX_USAGE, f"there is no profile {console.shown(name)}: did you mean {meant}? --list shows all")
    if PROFILES[name].second_hand and not second_hand:
        why = "its rules were not read in the original"
        exits.end(os.EX_USAGE, f"the profile {name} is off because {why}: --allow-second-hand allows it")
    return PROFILES[name]


def _contract(settings: Settings) -> "Contract":
    from speedtest.verdicts import contract_file  # noqa: PLC0415 (see above)

    try:
        return contract_file.of(settings)
    except contract_file.WrongContract as wrong:
        exits.end(exits.MISCONFIGURED, *wrong.lines)


def _judged(
    folders: Folders, profile: "Profile", contract: "Contract", question: Callable[[], "VerdictQuestion"]
) -> "Verdict":
    from speedtest.verdicts import reading  # noqa: PLC0415 (see above)

    with _told():
        return reading.verdict(folders, question(), contract, profile)


@contextmanager
def _told() -> Iterator[None]:
    """Exit with a line for what cannot be asked, or cannot be read."""
    from speedtest.data.parquet import Damaged  # noqa: PLC0415 (see above)

    try:
        yield
    except Unclear as unclear:
        exits.end(os.EX_USAGE, str(unclear))
    except (Damaged, OSError) as error:
        exits.end(exits.FAILED, str(error))


def _question(
    folders: Folders, locations: list[str], since: str | None, until: str | None, engine: str | None
) -> "VerdictQuestion":
    """Return the question about the one line that is meant."""
    from speedtest.engines import ENGINES  # noqa: PLC0415 (see above)
    from speedtest.figures import zones  # noqa: PLC0415
    from speedtest.figures.rows import Rows  # noqa: PLC0415
    from speedtest.verdicts.reading import VerdictQuestion  # noqa: PLC0415

    rows = Rows(folders)
    known = locations or rows.locations()
    if len(known) > 1:
        exits.end(os.EX_USAGE, f"a verdict is about one line: choose one by --location, of {', '.join(known)}")
    if engine and engine not in ENGINES:
        exits.end(
            os.EX_USAGE, f"there is no engine {console.shown(engine)}: did you mean {nearest(engine, [*ENGINES])}?"
        )
    place = known[0] if known else ""
    first, last = zones.between(rows, [place] if place else [], since, until, datetime.now(UTC))
    return VerdictQuestion(location=place, since=first, until=last, engine=engine)


def _check_document(output: Path, language: str | None, stamp: str | None, *, contract_check: bool) -> None:
    """Refuse what no document can be, before anything is judged."""
    from speedtest.evidence import words  # noqa: PLC0415 (see above)
    from speedtest.values import urls  # noqa: PLC0415

    if contract_check:
        exits.end(os.EX_USAGE, "-o writes what the tests show, --contract-only looks at none: choose one of them")
    if output.suffix not in (".html", ".pdf"):
        exits.end(os.EX_USAGE, f"-o {output}: a document is FILE.html or FILE.pdf")
    if language is not None and language not in words.languages():
        exits.end(os.EX_USAGE, f"--language {console.shown(language)}: choose one of {', '.join(words.languages())}")
    try:
        stamp is None or urls.service(stamp)
    except ValueError:
        exits.end(os.EX_USAGE, f"--stamp {console.shown(stamp)} is no URL (http or https) of a time-stamp authority")


def _document(  # noqa: PLR0913 (what is judged, by which rules, and how it is told)
    settings: Settings,
    output: Path,
    asked: "VerdictQuestion",
    contract: "Contract",
    profile: "Profile",
    *,
    language: str | None,
    stamp: str | None,
) -> "Verdict":
    """Write a document of evidence, and say what its checksum is."""
    from speedtest.evidence import bundle, document, making, pdf, stamps  # noqa: PLC0415 (see above)

    folders = Folders(settings.result_dir, settings.upload_dir)
    try:
        made = making.make(folders, asked, contract, profile, language=language, commit=settings.commit_hash)
        if stamp:
            answer = stamps.request(stamp, made.manifest.encode(), settings.speedtest_ca_file)
            made = making.stamped(made, stamp, answer)
        html = document.html(made)
        with whole(output) as out:
            out.write(pdf.pdf(html, made) if output.suffix == ".pdf" else html.encode())
    except (pdf.NoPdf, stamps.NotStamped) as error:
        exits.end(exits.FAILED, f"the document could not be written to {output}: {error}")
    console.console().print(console.line("verdict", made.verdict.summary.text, _STYLES[made.verdict.overall]))
    console.console().print(console.line("document", output))
    console.console().print(console.line("checksum of its data", bundle.checksum(bundle.encode(made))))
    return made.verdict


def _verify(path: Path, folders: Folders, stamp_ca: Path | None) -> None:
    """Check a document, and exit with 1 if anything in it does not hold."""
    from speedtest.evidence import bundle, checking, stamps  # noqa: PLC0415 (see above)

    styles = {"holds": "green", "fails": "red", "unknown": "yellow"}
    try:
        found = list(checking.check(path.read_bytes(), folders, stamp_ca))
    except (OSError, bundle.NoDocument, stamps.NotStamped) as error:
        exits.end(exits.FAILED, f"{path} cannot be checked: {error}")
    for each in found:
        console.console().print(console.line(each.what, f"{each.finds}: {each.words}", styles[each.finds]))
    sys.exit(exits.FAILED if any(each.finds == "fails" for each in found) else exits.OK)


def _say(found: "Verdict") -> None:
    from speedtest.verdicts import shown  # noqa: PLC0415 (see above)

    for label, text, about in shown.lines(found):
        console.console().print(console.line(label, text, _STYLES.get(about, "")))


def _list(*, as_json: bool) -> None:
    import msgspec  # noqa: PLC0415 (see above)

    from speedtest.verdicts import shown  # noqa: PLC0415
    from speedtest.verdicts.profiles import PROFILES  # noqa: PLC0415

    if as_json:
        listed = [shown.described(profile) for profile in PROFILES.values()]
        sys.stdout.write(msgspec.json.encode(listed).decode() + "\n")
        return
    for profile in PROFILES.values():
        for label, text, _ in shown.listing(profile):
            console.console().print(console.line(label, text))


if __name__ == "__main__":
    alone(verdict)
