"""Whom invoices are made out to: name, address, VAT number; kept here and at Stripe, which reckons
the tax from them.

Changing them waits for Stripe; so that opens its short transactions itself and is never called
within one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.billing import customers
from studypack.billing.countries import COUNTRIES
from studypack.billing.models import Customer
from studypack.billing.vat import checked_vat_id, country_of
from studypack.core.database import transaction
from studypack.core.errors import Conflict, Unprocessable
from studypack.integrations.stripe import call

if TYPE_CHECKING:
    from stripe.params import CustomerUpdateParams

TAX_ID_TYPE: Final = "eu_vat"


@dataclass(frozen=True)
class Details:
    """What an invoice says of its buyer; None: nothing."""

    name: str | None = None
    address_line1: str | None = None
    address_line2: str | None = None
    postal_code: str | None = None
    city: str | None = None
    state: str | None = None
    country: str | None = None
    """ISO 3166-1 alpha-2."""
    vat_id: str | None = None
    """Of the European Union, in its compact form."""

    @classmethod
    def of(cls, customer: Customer | None) -> Details:
        """As they are kept."""
        if customer is None:
            return cls()
        return cls(**{field.name: getattr(customer, field.name) for field in fields(cls)})


def get_details(session: Session, user_id: UUID) -> Details:
    """A user's billing details."""
    customer = session.scalars(select(Customer).where(Customer.user_id == user_id)).one_or_none()
    return Details.of(customer)


def change_details(user_id: UUID, changes: Mapping[str, str | None]) -> Details:
    """Set the details that are named (None empties one); Stripe is told first, so that what is kept
    here is what it knows. Issued invoices stay as they are.

    Raises Unprocessable (`country`, `vat_id`), Conflict (`payment_refused`), Unavailable.
    """
    with transaction() as session:
        before = get_details(session, user_id)
    after = _checked(replace(before, **changes))
    if after != before:
        stripe_id = customers.ensure_at_stripe(user_id)
        _tell_stripe(stripe_id, after)
    with transaction() as session:
        customer = customers.lock(session, user_id)
        for name in changes:
            setattr(customer, name, getattr(after, name))
        return Details.of(customer)


def _checked(details: Details) -> Details:
    if details.country is not None and details.country not in COUNTRIES:
        raise Unprocessable.field("country", "There is no such country.", code="unknown_country")
    if details.vat_id is None:
        return details
    vat_id = checked_vat_id(details.vat_id)
    if vat_id is None:
        raise Unprocessable.field(
            "vat_id", "This is no VAT number of a member state.", code="vat_id_invalid"
        )
    if details.country is None:
        raise Unprocessable.field("country", "A VAT number needs its country.", code="missing")
    if country_of(vat_id) != details.country:
        raise Unprocessable.field(
            "vat_id", "This VAT number is of another country.", code="vat_id_of_other_country"
        )
    return replace(details, vat_id=vat_id)


def _tell_stripe(stripe_id: str, details: Details) -> None:
    """Name, address and VAT number at Stripe; an empty text empties a field there."""
    params: CustomerUpdateParams = {
        "name": details.name or "",
        "address": {
            "line1": details.address_line1 or "",
            "line2": details.address_line2 or "",
            "postal_code": details.postal_code or "",
            "city": details.city or "",
            "state": details.state or "",
            "country": details.country or "",
        },
    }
    call(lambda stripe: stripe.v1.customers.update(stripe_id, params))
    _replace_tax_id(stripe_id, details.vat_id)


def _replace_tax_id(stripe_id: str, vat_id: str | None) -> None:
    """Have exactly this VAT number there, the new one before the old one goes."""
    known = call(lambda stripe: stripe.v1.customers.tax_ids.list(stripe_id, {"limit": 100})).data
    ours = [each for each in known if each.type == TAX_ID_TYPE]
    if vat_id is not None and all(each.value != vat_id for each in ours):
        try:
            call(
                lambda stripe: stripe.v1.customers.tax_ids.create(
                    stripe_id, {"type": TAX_ID_TYPE, "value": vat_id}
                )
            )
        except Conflict as refused:
            if refused.extra.get("reason") != "tax_id_invalid":
                raise
            raise Unprocessable.field(
                "vat_id",
                "The payment provider does not take this VAT number.",
                code="vat_id_invalid",
            ) from None
    for old in ours:
        if old.value != vat_id:
            _delete_tax_id(stripe_id, old.id)


def _delete_tax_id(stripe_id: str, tax_id: str) -> None:
    call(lambda stripe: stripe.v1.customers.tax_ids.delete(stripe_id, tax_id))
