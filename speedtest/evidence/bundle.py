"""What a document of evidence holds for programs: the verdict, the list of files, the stamp. It can be checked again.

Format: one JSON object with sorted keys, UTF-8; its SHA-256 is the document's checksum. An HTML document has it in the
element `speedsnake-bundle`, a PDF as the attached file of that name. `version` grows when a field changes its meaning.
"""

import hashlib
import re
import zlib
from datetime import datetime

import msgspec

from speedtest.evidence.words import languages
from speedtest.verdicts.case import Bound
from speedtest.verdicts.types import Verdict

NAME = "speedsnake-bundle.json"
ELEMENT = "speedsnake-bundle"
_IN_HTML = re.compile(rb'<script type="application/json" id="speedsnake-bundle">(.*?)</script>', re.DOTALL)
_FIRST_YEAR, _LAST_YEAR = 2, 9998
"""Of a time, so that its days can be counted."""
_LARGEST = 256 * 1024 * 1024


class NoDocument(Exception):
    """A file is no document of evidence, or a damaged one."""


class DocumentStamp(msgspec.Struct, frozen=True, kw_only=True):
    """A time stamp of the list of files."""

    url: str
    at: str
    """What the authority says, ISO 8601, UTC."""
    authority: str
    answer: bytes
    """The whole answer (DER)."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    """All that a document says."""

    version: int = 1
    made: datetime
    """Rows from this moment on were not looked at."""
    software: str
    """The version of SpeedSnake."""
    commit: str | None = None
    language: str
    engine: str | None = None
    """The engine that a person asked for."""
    chosen: tuple[Bound, ...] = ()
    """The bounds of the period that a person chose."""
    verdict: Verdict
    manifest: str
    """The list of the files that may hold rows of the period, see `data.manifest`."""
    stamp: DocumentStamp | None = None
    daily: tuple[str, ...] = ()
    """The days whose lists were stamped, ISO 8601."""


def encode(bundle: Bundle) -> bytes:
    """Return the bundle as one JSON object."""
    return msgspec.json.encode(bundle, order="sorted")


def checksum(data: bytes) -> str:
    """Return the SHA-256 of a bundle."""
    return hashlib.sha256(data).hexdigest()


def in_html(data: bytes) -> str:
    """Return a bundle as the text of its element: no text in it can end the element."""
    return data.decode().replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def found_in(document: bytes) -> Bundle:
    """Return the bundle of a document, HTML or PDF. Raises NoDocument."""
    data = _from_pdf(document) if document.startswith(b"%PDF-") else _from_html(document)
    try:
        found = msgspec.json.decode(data, type=Bundle)
        _check(found)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise NoDocument(f"what it holds for programs is damaged, or of another version: {error}") from error
    return found


def _check(found: Bundle) -> None:
    """Raise ValueError for what no document of ours has: somebody else may have written it."""
    if found.language not in languages():
        raise ValueError(f"language {found.language[:20]!r}")
    for when in (
        found.made,
        *(datetime.fromisoformat(text) for text in (found.verdict.since, found.verdict.until) if text),
    ):
        if when.tzinfo is None or not _FIRST_YEAR <= when.year <= _LAST_YEAR:
            raise ValueError(f"time {when}")


def _from_html(document: bytes) -> bytes:
    if found := _IN_HTML.search(document):
        return found[1]
    raise NoDocument("it is no document that `speedsnake verdict -o` wrote")


def _from_pdf(document: bytes) -> bytes:
    """Return the attached file. PDF keeps the bytes of an attachment as a stream of their own, deflated or not."""
    for found in re.finditer(rb"stream\r?\n", document):
        head = document[max(0, found.start() - 400) : found.start()].rpartition(b"obj")[2]
        if b"/EmbeddedFile" not in head:
            continue
        end = document.find(b"endstream", found.end())
        stream = document[found.end() : end]
        if b"/FlateDecode" in head:
            try:
                return zlib.decompressobj().decompress(stream, _LARGEST)
            except zlib.error as error:
                raise NoDocument(f"its attached file is damaged: {error}") from error
        return stream.rstrip(b"\r\n")
    raise NoDocument("it is no PDF that `speedsnake verdict -o` wrote: it has no attached file")
