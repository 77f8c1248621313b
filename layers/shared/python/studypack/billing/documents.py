"""What an invoice or a credit note says, before it is drawn (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class Settlement(StrEnum):
    """Whether there is something left to pay."""

    OPEN = "OPEN"
    PAID = "PAID"
    VOID = "VOID"


@dataclass(frozen=True)
class Party:
    """Who sells or buys: the name and address as lines."""

    lines: tuple[str, ...]
    vat_id: str | None


@dataclass(frozen=True)
class Line:
    """One item; `amount` is for all of `quantity`, in minor units, without tax."""

    description: str
    quantity: int
    amount: int
    period: tuple[date | None, date | None]


@dataclass(frozen=True)
class Reference:
    """Another document that belongs to this one."""

    number: str
    issued_on: date
    amount: int


@dataclass(frozen=True)
class Document:
    """What an invoice (or, with `credits`, a credit note) says. Amounts are minor units of
    `currency`; a credit note's are what goes back.
    """

    number: str
    issued_on: date
    seller: Party
    seller_email: str | None
    buyer: Party
    customer_number: str
    currency: str
    lines: tuple[Line, ...]
    subtotal: int
    discount: int
    tax: int
    total: int
    is_reverse_charge: bool
    settlement: Settlement = Settlement.OPEN
    paid_on: date | None = None
    amount_paid: int = 0
    due_on: date | None = None
    credit_notes: tuple[Reference, ...] = ()
    credits: Reference | None = None
    """The invoice that this document takes back, wholly or in part."""
    reason: str | None = None

    @property
    def title(self) -> str:
        """What it is."""
        return "Credit note" if self.credits else "Invoice"
