"""What a contract promises, as `CONTRACT_FILE` holds it.

Speeds are Mbit/s (10^6 bit/s) as printed in the contract, latencies ms, money in the currency of the contract. What is
missing is None and is not assessed. `contract_file` reads and writes the file.
"""

from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

type Direction = Literal["download", "upload"]
DIRECTIONS: tuple[Direction, ...] = ("download", "upload")


class Speeds(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figures of one direction, Mbit/s."""

    maximum: float | None = None
    normal: float | None = None
    """Normally available."""
    minimum: float | None = None
    """Minimum or guaranteed."""
    advertised: float | None = None
    required: float | None = None
    """What a subsidised carrier must deliver (United States)."""
    next_lower_maximum: float | None = None
    """The maximum of the next lower package that the provider sells (Croatia)."""


class Dates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happened when, local days."""

    fault_reported: date | None = None
    fault_ended: date | None = None
    """The day on which the service was back, if the rows cannot tell."""
    complaint: date | None = None
    first_certificate: date | None = None
    """The day of the first failed certificate of Ne.Me.Sys. (Italy)."""


class Contract(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A contract for one line."""

    provider: str | None = None
    tariff: str | None = None
    document: str | None = None
    """The document that the figures come from."""
    country: str | None = None
    """The country of the line, ISO 3166."""
    signed: date | None = None
    """When the contract was made."""
    technology: Literal["cable", "fibre", "dsl", "fixed-wireless"] | None = None
    customer: Literal["home", "business"] | None = None
    signatory: bool | None = None
    """Whether the provider has signed the voluntary code (United Kingdom)."""
    monthly_fee: float | None = None
    internet_share_of_fee: float | None = None
    """The part of the fee that is for internet access, from 0 to 1."""
    currency: str | None = None
    maximum_latency_ms: float | None = None
    """The guaranteed highest delay (Italy)."""
    holder: str | None = None
    address: str | None = None
    contract_number: str | None = None
    customer_number: str | None = None
    fault_ticket: str | None = None
    complaint_ticket: str | None = None
    download: Speeds = Speeds()
    upload: Speeds = Speeds()
    dates: Dates = Dates()
    expected_isps: tuple[str, ...] = ()
    """Names of the provider, as programs tell it: those of `EXPECT_ISP`, no key of the file."""

    def speeds(self, direction: Direction) -> Speeds:
        """Return the figures of a direction."""
        return self.download if direction == "download" else self.upload


def exact(value: float) -> Decimal:
    """Return a figure as it is printed, so that 90 % of 3 is 2.7 and not 2.7000000000000002."""
    return Decimal(repr(value))


def share(part: str, value: float) -> float:
    """Return this part of a figure, such as `share("0.9", 110)`, as the number nearest to the exact product."""
    return float(Decimal(part) * exact(value))
