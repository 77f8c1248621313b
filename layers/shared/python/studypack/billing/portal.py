"""Stripe's own page on which customers see their invoices and add payment methods.

It waits for Stripe; so it opens its short transaction itself and is never called within one.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from studypack.billing import customers
from studypack.billing.models import Customer
from studypack.billing.return_urls import check_return_url
from studypack.core.database import transaction
from studypack.core.errors import Conflict
from studypack.integrations.stripe import call


def open_portal(user_id: UUID, return_url: str) -> str:
    """The address of the portal for this user, good for some minutes and for whoever has it.

    Raises Unprocessable (`return_url`); Conflict: `no_customer` for somebody who never began to
    pay, `payment_refused`; Unavailable.
    """
    check_return_url("return_url", return_url)
    with transaction() as session:
        customer = session.scalars(
            select(Customer).where(Customer.user_id == user_id)
        ).one_or_none()
    stripe_id = customers.at_stripe(customer)
    try:
        made = call(
            lambda stripe: stripe.v1.billing_portal.sessions.create(
                {"customer": stripe_id, "return_url": return_url}
            )
        )
    except Conflict as refused:
        if refused.extra.get("reason") != "resource_missing":
            raise
        # Deleted there by hand: the next checkout makes another customer.
        customers.notice_if_gone(user_id)
        customers.at_stripe(None)
        raise
    return made.url
