"""Read the two kinds of XML that a router sends: the description of its services, and the answer to a question.

A document type is refused, and with it every entity: a few lines of them could fill the memory. What is read has a
limit for its depth, its elements and its texts.

A description (UPnP Device Architecture, section 2) has `service` elements with `serviceType` and `controlURL`, and the
`modelName` of the device. An answer (SOAP) has one element for each value, such as `NewUptime`.
"""

from typing import NamedTuple
from xml.parsers import expat

from speedtest.router.web import UnusableAnswer

MOST_ELEMENTS, DEEPEST, LONGEST_TEXT = 5000, 30, 1000
LONGEST_NAME = 60


class DescribedService(NamedTuple):
    """A service of the router: its type, and the URL for questions as the router writes it."""

    kind: str
    url: str


class Description(NamedTuple):
    """What a router says of itself."""

    name: str | None
    """The model, such as FRITZ!Box 7590."""
    base: str | None
    """The URL that others are relative to, in old descriptions."""
    services: list[DescribedService]


def description(document: bytes) -> Description:
    """Return what a description says. Raises UnusableAnswer."""
    services: list[DescribedService] = []
    kind = url = ""
    name = base = None
    for element, text in _elements(document):
        match element:
            case "serviceType":
                kind = text
            case "controlURL":
                url = text
            case "service":
                services.append(DescribedService(kind, url))
                kind = url = ""
            case "modelName" | "friendlyName" if name is None:
                name = printable(text)
            case "URLBase":
                base = text
            case _:
                pass
    return Description(name, base, [service for service in services if service.kind and service.url])


def values(document: bytes) -> dict[str, str]:
    """Return the values of an answer by name. Raises UnusableAnswer."""
    return {element: text for element, text in _elements(document) if element.startswith("New") and text}


def printable(text: str) -> str | None:
    """Return a text that may be shown and stored; None if nothing is left of it."""
    return "".join(letter for letter in text if letter.isprintable()).strip()[:LONGEST_NAME] or None


def _elements(document: bytes) -> list[tuple[str, str]]:
    """Return each element's name, without its namespace, and its own text, in the order in which they end."""
    found: list[tuple[str, str]] = []
    open_texts: list[list[str]] = []
    count = 0

    def begin(_name: str, _attributes: object) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS or len(open_texts) >= DEEPEST:
            raise UnusableAnswer("the router's answer has too many elements")
        open_texts.append([])

    def end(name: str) -> None:
        found.append((name.rpartition(":")[2], "".join(open_texts.pop()).strip()[:LONGEST_TEXT]))

    def text(piece: str) -> None:
        if open_texts and len(open_texts[-1]) < LONGEST_TEXT:
            open_texts[-1].append(piece[:LONGEST_TEXT])

    def refuse(*_: object) -> None:
        raise UnusableAnswer("the router's answer has a document type, which is not read")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = begin, end, text
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)  # noqa: FBT003 (expat takes no names)
    except expat.ExpatError as error:
        raise UnusableAnswer(f"the router's answer is not XML: {error}") from error
    except (LookupError, ValueError) as error:  # an encoding that Python does not know
        raise UnusableAnswer(f"the router's answer is in an unknown encoding: {error}") from error
    return found
