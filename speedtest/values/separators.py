"""The decimal mark of a language, and the separator that its spreadsheets expect in CSV."""

import msgspec

_SEMICOLON_AND_POINT = {"CH", "LI"}
"""Territories whose systems separate lists by semicolons although their decimal mark is a point."""


class Separators(msgspec.Struct, frozen=True):
    """The two marks of a language; by default those of English."""

    decimal: str = "."
    separator: str = ","


class UnknownLocale(ValueError):
    """Text that names no language. The message says how to write one."""


def marks(name: str) -> Separators:
    """Return the marks of a locale such as `de_DE`, `de-DE`, `de` or `de_DE.UTF-8`.

    A decimal comma goes with the semicolon. Raises UnknownLocale.
    """
    from babel import Locale, UnknownLocaleError  # noqa: PLC0415 (it costs a tenth of a second, and few need it)
    from babel.numbers import get_decimal_symbol  # noqa: PLC0415 (the same)

    plain = name.partition(".")[0].replace("-", "_")
    try:
        locale = Locale.parse(plain)
    except (UnknownLocaleError, ValueError, TypeError):
        raise UnknownLocale(f"{name[:50]!r} is not a locale: write a language and a country, such as de_DE") from None
    decimal = get_decimal_symbol(locale, numbering_system="latn")
    semicolon = decimal == "," or locale.territory in _SEMICOLON_AND_POINT
    return Separators("," if decimal == "," else ".", ";" if semicolon else ",")
