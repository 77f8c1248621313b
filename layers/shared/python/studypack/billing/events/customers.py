"""customer.updated and deleted."""

from __future__ import annotations

from sqlalchemy import select

from studypack.billing.events.told import Age, Told, Work, age_of, id_of, stamp
from studypack.billing.models import Customer, PaymentMethod
from studypack.billing.truth import CUSTOMER, Document


def customer_updated(work: Work, told: Told) -> None:
    """customer.updated"""
    customer = work.customer
    if customer.stripe_customer_id != told.object_id:
        return  # an earlier one of the same user, whose money we still keep
    document = told.object
    age = age_of(told.version, customer.version_at, customer.event_id)
    if age is Age.OLDER:
        return
    if customer.gone_at is not None:
        stamp(customer, told.version)
        return
    if age is Age.SAME_SECOND and _default_method(document) != customer.default_payment_method:
        document = work.truth.get(CUSTOMER, told.object_id) or document
    if not document.get("deleted"):
        _take_over(work, document)
        with work.session.no_autoflush:  # written once, with the version
            if customer.default_payment_method is not None and _is_detached(work, customer):
                customer.default_payment_method = None
    stamp(customer, told.version)


def customer_deleted(work: Work, told: Told) -> None:
    """customer.deleted: the last that is told of it"""
    customer = work.customer
    if customer.stripe_customer_id != told.object_id:
        return
    customer.gone_at = customer.gone_at or told.occurred_at
    customer.default_payment_method = None
    stamp(customer, told.version)


def _is_detached(work: Work, customer: Customer) -> bool:
    """Whether the default method was taken away, of which this event may be too old to know."""
    found = work.session.scalars(
        select(PaymentMethod.id).where(
            PaymentMethod.stripe_payment_method_id == customer.default_payment_method,
            PaymentMethod.detached_at.is_not(None),
        )
    ).first()
    return found is not None


def _default_method(document: Document) -> str | None:
    return id_of((document.get("invoice_settings") or {}).get("default_payment_method"))


def _take_over(work: Work, document: Document) -> None:
    """The default method; and the address, where there is one: in the portal it can be changed."""
    customer = work.customer
    customer.default_payment_method = _default_method(document)
    address = document.get("address")
    if not address or customer.user_id is None:
        return
    customer.name = document.get("name") or customer.name
    customer.address_line1 = address.get("line1")
    customer.address_line2 = address.get("line2")
    customer.postal_code = address.get("postal_code")
    customer.city = address.get("city")
    customer.state = address.get("state")
    customer.country = address.get("country")
