"""Seats of a subscription for several people: who has one, and who was offered one by mail.

Everything that changes them locks the owner's row in `payments.customers` first, so that two who
reach for the last seat take turns. Whether a seat opens anything follows from the subscription
(holdings.py): seats end with it without being touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, null, or_, select, union_all
from sqlalchemy.orm import Session

from studypack.accounts import throttles
from studypack.accounts.addresses import has_address
from studypack.accounts.tokens import hash_token, new_token
from studypack.billing import customers
from studypack.billing.models import (
    LIVE_STATUSES,
    Product,
    Seat,
    SeatInvitation,
    Subscription,
)
from studypack.core.business_settings import get_business_settings
from studypack.core.config import get_settings
from studypack.core.errors import Conflict, NotFound, Unprocessable
from studypack.identity.models import User
from studypack.notifications.models import EmailTemplate
from studypack.notifications.service import enqueue_email

PAGE = "accept-seat"
"""Of the web client: where a mailed link leads."""

_LIVE = and_(
    Subscription.status.in_(LIVE_STATUSES),
    ~Subscription.is_duplicate,
    Subscription.access_ended_at.is_(None),
)


@dataclass(frozen=True)
class Place:
    """A seat that somebody has."""

    id: UUID
    user_id: UUID
    email: str
    """The address that was invited."""
    taken_at: datetime


@dataclass(frozen=True)
class Offer:
    """A seat that is kept for an address."""

    id: UUID
    email: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Seats:
    """All seats of a subscription; of nobody's, when there is none."""

    subscription_id: UUID | None
    total: int
    places: tuple[Place, ...]
    offers: tuple[Offer, ...]

    @property
    def free(self) -> int:
        """Neither taken nor kept for somebody."""
        return max(0, self.total - len(self.places) - len(self.offers))


def list_seats(session: Session, user_id: UUID, *, now: datetime) -> Seats:
    """The seats of this user's own subscription, in the order in which they were taken or
    offered; in two statements.
    """
    subscription = session.scalars(_owned_by(user_id)).one_or_none()
    if subscription is None:
        return Seats(None, 0, (), ())
    invited = (
        select(SeatInvitation.email).where(SeatInvitation.seat_id == Seat.id).limit(1)
    ).scalar_subquery()
    taken = (
        select(
            Seat.id,
            Seat.user_id,
            func.coalesce(invited, User.email).label("email"),
            Seat.taken_at.label("since"),
            null().label("until"),
        )
        .join(User, User.id == Seat.user_id)
        .where(Seat.subscription_id == subscription.id, Seat.removed_at.is_(None))
    )
    offered = select(
        SeatInvitation.id,
        null(),
        SeatInvitation.email,
        SeatInvitation.created_at,
        SeatInvitation.expires_at,
    ).where(SeatInvitation.subscription_id == subscription.id, _is_open(now))
    rows: list[Any] = list(session.execute(union_all(taken, offered).order_by("since", "id")))
    return Seats(
        subscription.id,
        subscription.quantity,
        tuple(Place(row.id, row.user_id, row.email, row.since) for row in rows if not row.until),
        tuple(Offer(row.id, row.email, row.since, row.until) for row in rows if row.until),
    )


def count_held(session: Session, subscription_id: UUID, *, now: datetime) -> int:
    """How many seats are taken or kept for an invitation."""
    taken, offered = _count(session, subscription_id, now=now)
    return taken + offered


def invite(session: Session, user_id: UUID, email: str, *, now: datetime) -> Offer:
    """Offer a seat to an address and mail it the link; again sends a new link, and the old one no
    longer works.

    Raises TooManyRequests, NotFound (`seats_not_found`), Unprocessable (`email`) for one's own
    address, Conflict: `already_seated`, `no_free_seat`.
    """
    throttles.take(session, *throttles.mail_limits(session, "seat-invitation", email, str(user_id)))
    subscription, product = _lock_own(session, user_id)
    _refuse_own_address(session, user_id, email)
    _refuse_seated(session, subscription, email)
    invitation = session.scalars(
        select(SeatInvitation).where(
            SeatInvitation.subscription_id == subscription.id,
            func.lower(SeatInvitation.email) == func.lower(email),
            SeatInvitation.accepted_at.is_(None),
            SeatInvitation.revoked_at.is_(None),
        )
    ).one_or_none()
    if invitation is None or invitation.expires_at <= now:
        taken, offered = _count(session, subscription.id, now=now)
        if taken + offered >= subscription.quantity:
            _refuse_full(subscription, taken=taken, offered=offered)
    token = new_token()
    expires_at = now + timedelta(days=get_business_settings(session).seat_invitation_days)
    if invitation is None:
        invitation = SeatInvitation(subscription_id=subscription.id, email=email, created_at=now)
        session.add(invitation)
    invitation.token_hash, invitation.expires_at = hash_token(token), expires_at
    session.flush()
    _mail(session, user_id, invitation, product, token)
    return Offer(invitation.id, invitation.email, invitation.created_at, expires_at)


def remove(session: Session, user_id: UUID, id: UUID, *, now: datetime) -> None:
    """Take a seat away or withdraw an invitation, as the owner; or leave one's own seat.

    Raises NotFound (`seat_not_found`).
    """
    seat = session.execute(
        select(Seat, Subscription.customer_id)
        .join(Subscription, Subscription.id == Seat.subscription_id)
        .where(Seat.id == id, or_(Seat.user_id == user_id, Subscription.user_id == user_id))
    ).one_or_none()
    if seat is not None:
        customers.lock_row(session, seat.customer_id)
        session.refresh(seat.Seat)
        if seat.Seat.removed_at is not None:
            raise _no_seat()
        seat.Seat.removed_at = now
        session.flush()
        return
    offer = session.execute(
        select(SeatInvitation, Subscription.customer_id)
        .join(Subscription, Subscription.id == SeatInvitation.subscription_id)
        .where(SeatInvitation.id == id, Subscription.user_id == user_id)
    ).one_or_none()
    if offer is None:
        raise _no_seat()
    customers.lock_row(session, offer.customer_id)
    invitation = offer.SeatInvitation
    session.refresh(invitation)
    if invitation.accepted_at is not None or invitation.revoked_at is not None:
        raise _no_seat()
    invitation.revoked_at = now
    session.flush()


def _no_seat() -> NotFound:
    return NotFound("There is no such seat.", code="seat_not_found")


def accept(session: Session, user_id: UUID, token: str, *, now: datetime) -> Place:
    """Take the seat that a mailed link offers; again changes nothing.

    Raises Unprocessable (`token`: unknown, withdrawn, expired, used by another); Conflict:
    `email_unverified`, `other_address`, `subscription_ended`, `no_free_seat`.
    """
    invited = SeatInvitation.token_hash == hash_token(token)
    customer_id = session.scalar(
        select(Subscription.customer_id)
        .join(SeatInvitation, SeatInvitation.subscription_id == Subscription.id)
        .where(invited)
    )
    if customer_id is None:
        raise _unusable()
    customers.lock_row(session, customer_id)
    invitation, subscription, has_seats = session.execute(
        select(SeatInvitation, Subscription, Product.has_seats)
        .join(Subscription, Subscription.id == SeatInvitation.subscription_id)
        .join(Product, Product.id == Subscription.product_id)
        .where(invited)
        .execution_options(populate_existing=True)
    ).one()
    seat = _seat_of(session, subscription.id, user_id)
    if invitation.accepted_at is not None:
        if seat is not None and seat.id == invitation.seat_id:
            return Place(seat.id, user_id, invitation.email, seat.taken_at)
        raise _unusable()
    if invitation.revoked_at is not None or invitation.expires_at <= now:
        raise _unusable()
    _check_address(session, user_id, invitation.email)
    if not has_seats or not _is_live(subscription):
        raise Conflict("This subscription has ended.", code="subscription_ended")
    if seat is None:
        taken, _ = _count(session, subscription.id, now=now)
        if taken >= subscription.quantity:
            _refuse_full(subscription, taken=taken, offered=0)
        seat = Seat(subscription_id=subscription.id, user_id=user_id, taken_at=now)
        session.add(seat)
        session.flush()
    invitation.accepted_at, invitation.seat_id = now, seat.id
    session.flush()
    return Place(seat.id, user_id, invitation.email, seat.taken_at)


def _owned_by(user_id: UUID) -> Select[Subscription]:
    return (
        select(Subscription)
        .join(Product, Product.id == Subscription.product_id)
        .where(Subscription.user_id == user_id, _LIVE, Product.has_seats)
    )


def _lock_own(session: Session, user_id: UUID) -> tuple[Subscription, Product]:
    """The user's own subscription with seats, with everything about it locked."""
    found = None
    if customers.find_locked(session, user_id) is not None:
        found = session.execute(
            _owned_by(user_id).add_columns(Product).execution_options(populate_existing=True)
        ).one_or_none()
    if found is None:
        raise NotFound("You have no subscription with seats.", code="seats_not_found")
    return found[0], found[1]


def _is_open(now: datetime) -> ColumnElement[bool]:
    """Of an invitation in a query: whether it keeps a seat."""
    return and_(
        SeatInvitation.accepted_at.is_(None),
        SeatInvitation.revoked_at.is_(None),
        SeatInvitation.expires_at > now,
    )


def _count(session: Session, subscription_id: UUID, *, now: datetime) -> tuple[int, int]:
    """How many seats are taken, and how many invitations keep one."""
    taken = select(func.count()).where(
        Seat.subscription_id == subscription_id, Seat.removed_at.is_(None)
    )
    offered = select(func.count()).where(
        SeatInvitation.subscription_id == subscription_id, _is_open(now)
    )
    row = session.execute(select(taken.scalar_subquery(), offered.scalar_subquery())).one()
    return int(row[0]), int(row[1])


def _refuse_full(subscription: Subscription, *, taken: int, offered: int) -> NoReturn:
    raise Conflict(
        "No seat is free.",
        code="no_free_seat",
        total=subscription.quantity,
        taken=taken,
        offered=offered,
    )


def _refuse_own_address(session: Session, user_id: UUID, email: str) -> None:
    own = session.scalar(select(User.id).where(User.id == user_id, has_address(email)))
    if own is not None:
        raise Unprocessable.field("email", "You need no seat of your own.", code="own_address")


def _refuse_seated(session: Session, subscription: Subscription, email: str) -> None:
    seated = session.scalar(
        select(Seat.id)
        .join(User, User.id == Seat.user_id)
        .where(
            Seat.subscription_id == subscription.id, Seat.removed_at.is_(None), has_address(email)
        )
    )
    if seated is not None:
        raise Conflict("Somebody with this address has a seat.", code="already_seated")


def _mail(
    session: Session, user_id: UUID, invitation: SeatInvitation, product: Product, token: str
) -> None:
    inviter = session.execute(
        select(User.first_name, User.last_name, User.email).where(User.id == user_id)
    ).one()
    name = " ".join(part for part in (inviter.first_name, inviter.last_name) if part)
    page = f"{get_settings().web_base_url.rstrip('/')}/{PAGE}"
    enqueue_email(
        session,
        user_id,
        EmailTemplate.SEAT_INVITATION,
        occasion=f"{invitation.id}:{invitation.token_hash.hex()[:16]}",
        to_address=invitation.email,
        link=f"{page}?{urlencode({'token': token})}",
        product_name=product.name,
        inviter_name=name,
        inviter_email=inviter.email,
        expires_at=invitation.expires_at.isoformat(),
    )


def _unusable() -> Unprocessable:
    return Unprocessable.field(
        "token", "This invitation has expired, was withdrawn or was used.", code="token_invalid"
    )


def _seat_of(session: Session, subscription_id: UUID, user_id: UUID) -> Seat | None:
    return session.scalars(
        select(Seat).where(
            Seat.subscription_id == subscription_id,
            Seat.user_id == user_id,
            Seat.removed_at.is_(None),
        )
    ).one_or_none()


def _check_address(session: Session, user_id: UUID, email: str) -> None:
    """Whoever the invitation was not sent to cannot take it, even with the link."""
    is_theirs, verified_at = session.execute(
        select(has_address(email), User.email_verified_at).where(User.id == user_id)
    ).one()
    if not is_theirs:
        raise Conflict(
            "This invitation was sent to another address than your account's.",
            code="other_address",
        )
    if verified_at is None:
        raise Conflict("Verify your address first.", code="email_unverified")


def _is_live(subscription: Subscription) -> bool:
    return (
        subscription.status in LIVE_STATUSES
        and not subscription.is_duplicate
        and subscription.access_ended_at is None
    )
