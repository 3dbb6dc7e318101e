"""Check a document of evidence: its text, the files, the stamps, and the verdict from the rows once more."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509

from speedtest.data import manifest
from speedtest.data.parquet import Damaged
from speedtest.data.partitions import Folders
from speedtest.evidence import bundle as bundles, document, making, pdf, stamp_store, stamps
from speedtest.evidence.bundle import Bundle
from speedtest.verdicts.profiles import PROFILES

type Finds = Literal["holds", "fails", "unknown"]
"""`unknown`: it could not be checked, or there is nothing to check."""


class Finding(msgspec.Struct, frozen=True):
    """What one check has found."""

    what: str
    finds: Finds
    words: str


def check(data: bytes, folders: Folders, stamp_ca: Path | None) -> Iterator[Finding]:
    """Yield what each check has found. Raises `bundle.NoDocument`, and `stamps.NotStamped` for a wrong `stamp_ca`."""
    bundle = bundles.found_in(data)
    stored = bundle.daily or (folders.result_dir / stamp_store.FOLDER).exists()
    roots = stamps.roots_of(stamp_ca) if bundle.stamp or stored else []
    yield _text(data, bundle)
    yield _list(bundle)
    yield from _files(bundle, folders)
    yield _stamp(bundle, roots)
    yield from _daily(bundle, folders, roots)
    yield _verdict(bundle, folders)


def _text(data: bytes, bundle: Bundle) -> Finding:
    """Make the document again and compare."""
    what = "document"
    digest = f"SHA-256 {hashlib.sha256(data).hexdigest()}"
    if bundle.software != making.software():
        words = f"made by SpeedSnake {bundle.software}, not {making.software()}: its text was not compared; {digest}"
        return Finding(what, "unknown", words)
    html = document.html(bundle)
    if data.startswith(b"%PDF-"):
        return _pdf(data, html, bundle, digest)
    if html.encode() != data:
        return Finding(what, "fails", "its text is not what the verdict in it says: it was changed after it was made")
    return Finding(what, "holds", digest)


def _pdf(data: bytes, html: str, bundle: Bundle, digest: str) -> Finding:
    """Make the PDF again and compare. Other fonts or another WeasyPrint make other bytes of the same text."""
    try:
        is_same = pdf.pdf(html, bundle) == data
    except pdf.NoPdf as why:
        return Finding("document", "unknown", f"its text was not compared: {why}; {digest}")
    if is_same:
        return Finding("document", "holds", digest)
    words = "this machine makes other bytes of it: it was changed, or fonts or WeasyPrint differ; compare its text"
    return Finding("document", "unknown", f"{words}; {digest}")


def _list(bundle: Bundle) -> Finding:
    files = bundle.verdict.files
    digest = hashlib.sha256(bundle.manifest.encode()).hexdigest()
    holds = files is not None and files.digest == digest
    words = f"SHA-256 {digest}" if holds else "the list of files is not the one that the verdict names"
    return Finding("list of files", "holds" if holds else "fails", words)


def _files(bundle: Bundle, folders: Folders) -> Iterator[Finding]:
    """Compare the files with the list. A CSV file that has gone was converted; its rows are in a Parquet file."""
    try:
        listed = manifest.entries(bundle.manifest)
    except ValueError:
        yield Finding("files", "fails", "the list of files cannot be read")
        return
    same, gone = 0, 0
    wrong: list[str] = []
    for path, digest in listed.items():
        base = folders.upload_dir if path.endswith(".parquet") else folders.result_dir
        found = _digest(base, path)
        if found == digest:
            same += 1
        elif found is None and not path.endswith(".parquet"):
            gone += 1
        else:
            wrong.append(f"{path} {'is missing' if found is None else 'has changed'}")
    converted = f", {gone} CSV files were converted since" if gone else ""
    if wrong:
        more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        yield Finding("files", "fails", f"{wrong[0]}{more}; {same} are as they were{converted}")
    else:
        yield Finding("files", "holds", f"{same} are as they were{converted}")


def _digest(base: Path, path: str) -> str | None:
    """Return the SHA-256 of a listed file, None if it is not there. A path cannot lead out of the folder."""
    place = base / path
    if not place.resolve().is_relative_to(base.resolve()) or not place.is_file():
        return None
    return hashlib.sha256(place.read_bytes()).hexdigest()


def _stamp(bundle: Bundle, roots: list[x509.Certificate]) -> Finding:
    what = "stamp"
    if bundle.stamp is None:
        return Finding(what, "unknown", "the document has none")
    try:
        found = stamps.verify(bundle.stamp.answer, bundle.manifest.encode(), roots)
    except stamps.NotStamped as why:
        return Finding(what, "fails", str(why))
    if (found.at.isoformat(), found.authority) != (bundle.stamp.at, bundle.stamp.authority):
        return Finding(what, "fails", "the document shows another time or authority than the stamp")
    return Finding(what, "holds", f"{found.at:%Y-%m-%d %H:%M:%S} UTC, {found.authority}")


def _daily(bundle: Bundle, folders: Folders, roots: list[x509.Certificate]) -> Iterator[Finding]:
    """Check the daily stamps: each holds for its list, and no listed file has another digest now."""
    what = "daily stamps"
    try:
        stored = stamp_store.read(folders.result_dir)
        missing = set(bundle.daily) - {each.day for each in stored}
        if missing:
            yield Finding(what, "fails", f"the stamp of {min(missing)} is missing in {stamp_store.FOLDER}")
            return
        now = manifest.entries(bundle.manifest)
        covered: set[str] = set()
        for each in stored:
            stamps.verify(each.stamp, each.manifest, roots)
            then = manifest.entries(each.manifest.decode())
            covered |= {path for path, digest in then.items() if now.get(path) == digest}
            changed = [path for path in then if path in now and now[path] != then[path]]
            if changed:
                yield Finding(what, "fails", f"{changed[0]} was another file on {each.day}")
                return
    except (stamps.NotStamped, OSError, ValueError) as why:
        yield Finding(what, "fails", str(why))
        return
    if stored:
        yield Finding(what, "holds", f"{len(stored)} hold; they cover {len(covered)} of {len(now)} files")


def _verdict(bundle: Bundle, folders: Folders) -> Finding:
    """Judge the rows again."""
    what = "verdict"
    then = bundle.verdict
    profile = PROFILES.get(then.profile)
    if profile is None or profile.rule_version != then.rule_version:
        return Finding(
            what, "unknown", f"this version of SpeedSnake has other rules for {then.profile}: not judged again"
        )
    try:
        now = making.judged(
            folders, profile, then.contract, then, engine=bundle.engine, chosen=bundle.chosen, made=bundle.made
        )
    except (Damaged, OSError) as why:
        return Finding(what, "fails", f"the rows cannot be read: {why}")
    if msgspec.structs.replace(now, files=then.files) == then:
        return Finding(what, "holds", f"the rows give the same: {then.summary.text}")
    if now.overall != then.overall:
        return Finding(what, "fails", f"the rows give {now.overall}, the document says {then.overall}")
    return Finding(what, "fails", "the rows give the same verdict, but other figures than the document shows")
