"""Write amounts for people, in the same way in the terminal, the log, the report and the page."""

import math

_TINY = 1e-6
"""What floating point may lose."""
NONE = "\N{EN DASH}"
_SECONDS_PER_MINUTE, _SECONDS_PER_HOUR, _SECONDS_PER_DAY = 60, 3600, 86400


def amount(value: float | None) -> str:
    """Return a number with three digits, or more from 1,000; an en dash for None."""
    if value is None:
        return NONE
    size = abs(value)
    if size >= 100:  # noqa: PLR2004 (three digits)
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2  # noqa: PLR2004 (the same)
    return f"{value:.{digits}f}"


def percent(value: float | None) -> str:
    """Return a percentage."""
    return NONE if value is None else f"{amount(value)} %"


def share(part: float | None) -> str:
    """Return a share, given in percent. A share below 100 is never rounded to 100."""
    if part is None:
        return NONE
    text = f"{part:.1f}"
    if text == "100.0" and part < 100:  # noqa: PLR2004 (percent)
        text = "99.9"
    return f"{text.removesuffix('.0')} %"


def availability(part: float | None) -> str:
    """Return a share of time, given in percent, to the second within two days. Below 100 it is never rounded to 100."""
    if part is None:
        return NONE
    thousandths = math.floor(part * 1000 + _TINY)
    return f"{thousandths / 1000:.3f}".rstrip("0").rstrip(".") + " %"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    seconds = round(seconds)
    if seconds < _SECONDS_PER_MINUTE:
        return f"{seconds} s"
    if seconds < _SECONDS_PER_HOUR:
        return _two(seconds, _SECONDS_PER_MINUTE, "min", 1, "s")
    if seconds < _SECONDS_PER_DAY:
        return _two(seconds, _SECONDS_PER_HOUR, "h", _SECONDS_PER_MINUTE, "min")
    return _two(seconds, _SECONDS_PER_DAY, "d", _SECONDS_PER_HOUR, "h")


def _two(seconds: int, large: int, large_unit: str, small: int, small_unit: str) -> str:
    rest = seconds % large // small
    return f"{seconds // large} {large_unit}" + (f" {rest} {small_unit}" if rest else "")


def data(amount_bytes: float) -> str:
    """Return an amount of data in powers of 1000."""
    units = ("bytes", "kB", "MB", "GB", "TB", "PB")
    power = 0
    while amount_bytes >= 1000 and power < len(units) - 1:  # noqa: PLR2004 (powers of 1000)
        amount_bytes, power = amount_bytes / 1000, power + 1
    return f"{amount_bytes:.0f} bytes" if not power else f"{amount(amount_bytes)} {units[power]}"
