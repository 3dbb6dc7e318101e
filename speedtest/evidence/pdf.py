"""The document as PDF, by WeasyPrint, which is an optional part: `uv sync --extra pdf`. It needs Pango.

WeasyPrint is asked for nothing but the document itself: no file and no address is opened. The bundle is attached.
"""

from typing import NoReturn

from speedtest.evidence import bundle as bundles
from speedtest.evidence.bundle import Bundle


class NoPdf(Exception):
    """A PDF cannot be made on this machine: why, and what to do."""


def pdf(html: str, bundle: Bundle) -> bytes:
    """Return the document as PDF. Raises NoPdf."""
    try:
        import weasyprint  # noqa: PLC0415 (an optional part)
    except ModuleNotFoundError as error:
        advice = "install it by `uv sync --extra pdf`, or write FILE.html and print that to PDF in a browser"
        raise NoPdf(f"PDF needs WeasyPrint, which is not installed: {advice}") from error
    except OSError as error:
        advice = (
            "install Pango (Debian: libpango-1.0-0 libpangoft2-1.0-0), or write FILE.html and print that in a browser"
        )
        raise NoPdf(f"PDF needs Pango, which WeasyPrint could not load: {error}; {advice}") from error
    attached = weasyprint.Attachment(
        string=bundles.encode(bundle),
        name=bundles.NAME,
        description="What this document says, for programs",
        created=bundle.made,
        modified=bundle.made,
    )
    made = weasyprint.HTML(string=html, url_fetcher=_refused).write_pdf(attachments=[attached], pdf_variant="pdf/a-3u")
    if not isinstance(made, bytes):
        raise NoPdf("WeasyPrint returned no PDF: please report this")
    return made


def _refused(url: str, *_: object, **__: object) -> NoReturn:
    raise ValueError(f"the document must not open {url}")
