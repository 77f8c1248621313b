"""Ids in Stripe's manner, reproducible from a seed."""

from __future__ import annotations

import hashlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

KINDS = {
    "ch": "charge",
    "clock": "test_helpers.test_clock",
    "cn": "credit_note",
    "cs_test": "checkout.session",
    "cus": "customer",
    "di": "discount",
    "du": "dispute",
    "evt": "event",
    "ii": "invoiceitem",
    "in": "invoice",
    "inpay": "invoice_payment",
    "pi": "payment_intent",
    "pm": "payment_method",
    "price": "price",
    "prod": "product",
    "promo": "promotion_code",
    "re": "refund",
    "sub": "subscription",
    "txi": "tax_id",
    "we": "webhook_endpoint",
}
"""Kinds of object by the prefix of their ids."""


class Ids:
    """A sequence of ids; the same seed gives the same ones."""

    def __init__(self, seed: str, count: int = 0) -> None:
        self.seed = seed
        self.count = count

    def new(self, prefix: str, length: int = 24) -> str:
        """The next id with this prefix."""
        self.count += 1
        return f"{prefix}_{self.letters(f'{prefix}:{self.count}', length)}"

    def letters(self, of: str, length: int) -> str:
        """Letters and digits that depend on the seed and on `of` alone."""
        digest = hashlib.shake_256(f"{self.seed}:{of}".encode()).digest(length)
        return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest)


def kind_of(identifier: str) -> str | None:
    """The kind of object that an id names, by its prefix."""
    return KINDS.get(identifier.rpartition("_")[0])
