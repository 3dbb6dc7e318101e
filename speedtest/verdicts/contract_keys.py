"""The keys of `CONTRACT_FILE`: one table for reading, checking, asking and explaining."""

import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from speedtest.values.names import printable

LONGEST_TEXT = 200
MOST_MBPS = 1_000_000
MOST_MONEY = 1_000_000
MOST_MS = 10_000
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2199, 12, 31)
_THOUSANDS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")

type ContractSection = Literal["contract", "contract.download", "contract.upload", "dates"]


class ContractKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key: what it means and what is allowed."""

    section: ContractSection
    name: str
    meaning: str
    allowed: str
    check: Callable[[Any], Any]
    """Return the value. Raises ValueError if it is not allowed."""
    parse: Callable[[str], Any] = str
    """Read what a person types."""
    countries: tuple[str, ...] = ()
    """Where it matters; everywhere if there is none."""

    def read(self, text: str) -> Any:  # noqa: ANN401 (its type is the key's)
        """Return what a person typed as a value. Raises ValueError if it is not allowed."""
        return self.check(self.parse(text.strip()))

    @property
    def path(self) -> str:
        """The key with its section."""
        return f"{self.section}.{self.name}"


def _number(least: float, most: float) -> Callable[[Any], float]:
    def check(value: Any) -> float:  # noqa: ANN401 (whatever TOML holds)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(value)  # noqa: TRY004 (it is the file's value that is wrong)
        number = float(value)
        if not (math.isfinite(number) and least < number <= most):
            raise ValueError(value)
        return number

    return check


def _text(value: Any) -> str:  # noqa: ANN401 (whatever TOML holds)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(value)
    return printable(LONGEST_TEXT)(value.strip())


def _day(value: Any) -> date:  # noqa: ANN401 (whatever TOML holds)
    if isinstance(value, datetime) or not isinstance(value, date):
        raise ValueError(value)  # noqa: TRY004 (it is the file's value that is wrong)
    if not FIRST_DAY <= value <= LAST_DAY:
        raise ValueError(value)
    return value


def _truth(value: Any) -> bool:  # noqa: ANN401 (whatever TOML holds)
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 (it is the file's value that is wrong)
    return value


def _among(*names: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:  # noqa: ANN401 (whatever TOML holds)
        if value not in names:
            raise ValueError(value)
        return value

    return check


def _country(value: Any) -> str:  # noqa: ANN401 (whatever TOML holds)
    if not (isinstance(value, str) and len(value) == 2 and value.isascii() and value.isalpha() and value.isupper()):  # noqa: PLR2004 (two letters)
        raise ValueError(value)
    return value


def _yes(text: str) -> bool:
    found = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}.get(text.lower())
    if found is None:
        raise ValueError(text)
    return found


def _typed(text: str) -> float:
    """Read a number. `1.000` and `1,000` may be a thousand or one: a wrong guess would be a wrong verdict."""
    if _THOUSANDS.fullmatch(text):
        raise ValueError(text)
    return float(text.replace(",", "."))


def _keys() -> Iterator[ContractKey]:
    text, day = (
        f"a text of at most {LONGEST_TEXT} printable characters",
        f"a date from {FIRST_DAY} to {LAST_DAY}, such as 2026-03-02",
    )
    for name, meaning in {
        "provider": "Who sells the line.",
        "tariff": "The name of the tariff.",
        "document": "The document that the figures below come from, with its date: the contract, or the information"
        " sheet of the product.",
    }.items():
        yield ContractKey(section="contract", name=name, meaning=meaning, allowed=text, check=_text)
    yield ContractKey(
        section="contract",
        name="country",
        meaning="The country of the line, two letters of ISO 3166.",
        allowed="two capital letters, such as DE",
        check=_country,
        parse=str.upper,
    )
    yield ContractKey(
        section="contract",
        name="signed",
        meaning="When the contract was made.",
        allowed=day,
        check=_day,
        parse=date.fromisoformat,
    )
    yield ContractKey(
        section="contract",
        name="technology",
        meaning="How the line comes to the house. Some countries have other limits for fixed wireless access.",
        allowed="cable, fibre, dsl or fixed-wireless",
        check=_among("cable", "fibre", "dsl", "fixed-wireless"),
        countries=("SI",),
    )
    yield ContractKey(
        section="contract",
        name="customer",
        meaning="Whether it is a contract for a home or for a business.",
        allowed="home or business",
        check=_among("home", "business"),
        countries=("GB",),
    )
    yield ContractKey(
        section="contract",
        name="signatory",
        meaning="United Kingdom: whether the provider has signed Ofcom's Broadband Speeds Codes.",
        allowed="true or false",
        check=_truth,
        parse=_yes,
        countries=("GB",),
    )
    yield ContractKey(
        section="contract",
        name="monthly_fee",
        meaning="What the line costs in a month.",
        allowed=f"a number above 0, at most {MOST_MONEY}",
        check=_number(0, MOST_MONEY),
        parse=_typed,
    )
    yield ContractKey(
        section="contract",
        name="internet_share_of_fee",
        meaning="Which part of that is for the line, if television or a telephone is in it.",
        allowed="a number above 0, at most 1",
        check=_number(0, 1),
        parse=_typed,
    )
    yield ContractKey(
        section="contract",
        name="currency",
        meaning="The currency of the fee. Without it, EUR.",
        allowed="three capital letters, such as EUR",
        check=_currency,
        parse=str.upper,
    )
    yield ContractKey(
        section="contract",
        name="maximum_latency_ms",
        meaning="Italy: the highest delay that the offer guarantees, ms.",
        allowed=f"a number above 0, at most {MOST_MS}",
        check=_number(0, MOST_MS),
        parse=_typed,
        countries=("IT",),
    )
    for name, meaning in {
        "holder": "Who has signed the contract.",
        "address": "Where the line is.",
        "contract_number": "The number of the contract.",
        "customer_number": "The number of the customer.",
        "fault_ticket": "The number that the provider gave to the report of the fault.",
        "complaint_ticket": "The number that the provider gave to the complaint.",
    }.items():
        yield ContractKey(section="contract", name=name, meaning=meaning, allowed=text, check=_text)
    yield from _speeds("contract.download")
    yield from _speeds("contract.upload")
    for name, meaning in {
        "fault_reported": "The day on which you reported a complete outage to the provider.",
        "fault_ended": "The day on which the service was back, if the rows cannot tell.",
        "complaint": "The day on which you complained to the provider about the speed.",
        "first_certificate": "Italy: the day of the first certificate of Ne.Me.Sys. that the line failed.",
    }.items():
        yield ContractKey(
            section="dates",
            name=name,
            meaning=meaning,
            allowed=day,
            check=_day,
            parse=date.fromisoformat,
            countries=_WHERE_DATES_MATTER[name],
        )


_WHERE_DATES_MATTER = {
    "fault_reported": ("DE",),
    "fault_ended": ("DE",),
    "complaint": ("GB",),
    "first_certificate": ("IT",),
}


def _currency(value: Any) -> str:  # noqa: ANN401 (whatever TOML holds)
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isalpha() and value.isupper()):  # noqa: PLR2004 (three letters)
        raise ValueError(value)
    return value


def _speeds(section: ContractSection) -> Iterator[ContractKey]:
    for name, meaning in {
        "maximum": "The highest speed, Mbit/s, as printed in the contract.",
        "normal": "The speed that is normally available, Mbit/s.",
        "minimum": "The lowest, or guaranteed, speed, Mbit/s.",
        "advertised": "The speed that is advertised, Mbit/s. Without it, PLAN_DOWNLOAD_MBPS or PLAN_UPLOAD_MBPS.",
        "required": "United States: the speed that the carrier is subsidised for, Mbit/s.",
        "next_lower_maximum": "Croatia: the maximum of the next lower package that the provider sells, Mbit/s.",
    }.items():
        yield ContractKey(
            section=section,
            name=name,
            meaning=meaning,
            allowed=f"a number of Mbit/s above 0, at most {MOST_MBPS}, such as 1000 or 79.5",
            check=_number(0, MOST_MBPS),
            parse=_typed,
            countries={"required": ("US",), "next_lower_maximum": ("HR",)}.get(name, ()),
        )


KEYS: tuple[ContractKey, ...] = tuple(_keys())
"""Every key, in the order of the file."""
