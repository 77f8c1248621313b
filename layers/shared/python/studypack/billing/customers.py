"""Our users as Stripe's customers: one each, made when it is first needed.

The customer's row is locked first by everything that changes the money of a user, so that such
changes come one after the other. `ensure_at_stripe` waits for Stripe and therefore opens its short
transactions itself: it is never called within one.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from studypack.billing.models import Customer
from studypack.core.database import new_id, transaction
from studypack.core.errors import Conflict
from studypack.identity.models import User
from studypack.integrations.stripe import call, call_once

USER_ID: Final = "studypack_user_id"
"""Metadata of Stripe's objects that says whose they are."""


def lock(session: Session, user_id: UUID) -> Customer:
    """The user's row, locked until the transaction ends; made at the first call."""
    found = find_locked(session, user_id)
    if found is None:
        statement = insert(Customer).values(id=new_id(), user_id=user_id)
        session.execute(statement.on_conflict_do_nothing(index_elements=[Customer.user_id]))
        found = find_locked(session, user_id)
    if found is None:
        raise RuntimeError("a customer's row was made and is not there")
    return found


def find_locked(session: Session, user_id: UUID) -> Customer | None:
    """The user's row, locked until the transaction ends, if there is one."""
    return session.scalars(
        select(Customer)
        .where(Customer.user_id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def lock_row(session: Session, customer_id: UUID) -> Customer:
    """The row by its own id, locked: money of an erased account has no user any more."""
    return session.scalars(
        select(Customer)
        .where(Customer.id == customer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def ensure_at_stripe(user_id: UUID) -> str:
    """Stripe's id of this user, who becomes a customer there if they are not one yet, or their
    former self was deleted there.

    Two at once, or one after a crash, make one customer: the idempotency key is our row, which
    deletion it follows and what is said of the user. Raises Unavailable (`payments_unavailable`).
    """
    with transaction() as session:
        customer = lock(session, user_id)
        known = _known(customer)
        gone_at = customer.gone_at
        email, first_name, last_name = session.execute(
            select(User.email, User.first_name, User.last_name).where(User.id == user_id)
        ).one()
    if known is not None:
        return known
    name = customer.name or " ".join(part for part in (first_name, last_name) if part)
    key = _key(customer.id, gone_at, email, name)
    made = call_once(
        lambda stripe: stripe.v1.customers.create(
            {
                "email": email,
                **({"name": name} if name else {}),
                "metadata": {USER_ID: str(user_id)},
            },
            {"idempotency_key": key},
        )
    )
    with transaction() as session:
        customer = lock(session, user_id)
        if _known(customer) is None:
            customer.stripe_customer_id = made.id
            customer.gone_at = None
            customer.version_at = customer.event_id = None
        return customer.stripe_customer_id or made.id


def notice_if_gone(user_id: UUID) -> None:
    """Ask Stripe whether our customer is there still; if not, the next use makes another.

    Raises Unavailable (`payments_unavailable`).
    """
    with transaction() as session:
        known = session.scalar(
            select(Customer.stripe_customer_id).where(
                Customer.user_id == user_id, Customer.gone_at.is_(None)
            )
        )
    if known is None or _is_there(known):
        return
    with transaction() as session:
        customer = lock(session, user_id)
        if customer.stripe_customer_id == known:
            customer.gone_at = session.execute(select(func.now())).scalar_one()


def _is_there(stripe_customer_id: str) -> bool:
    try:
        told = call(lambda stripe: stripe.v1.customers.retrieve(stripe_customer_id))
    except Conflict as refused:
        if refused.extra.get("reason") != "resource_missing":
            raise
        return False
    return not getattr(told, "deleted", False)


def at_stripe(customer: Customer | None) -> str:
    """Stripe's id of somebody who must be a customer there already.

    Raises Conflict (`no_customer`): they have never begun to pay.
    """
    known = None if customer is None else _known(customer)
    if known is None:
        raise Conflict("Nothing was bought with this account yet.", code="no_customer")
    return known


def _known(customer: Customer) -> str | None:
    return None if customer.gone_at is not None else customer.stripe_customer_id


def _key(customer_id: UUID, gone_at: datetime | None, *said: str) -> str:
    after = "" if gone_at is None else f"{gone_at.timestamp():.0f}"
    digest = hashlib.sha256("\n".join((after, *said)).encode()).hexdigest()
    return f"customer-{customer_id}-{digest[:16]}"
