"""Seats of a subscription for several people, and invitations to them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StringConstraints

from studypack.access.guards import CurrentUser
from studypack.accounts.fields import Email
from studypack.billing import seats
from studypack.core.http import DbSession, In, Out, UtcTime

router = APIRouter(prefix="/api/billing/seats")


class PlaceOut(Out):
    """A seat that somebody has."""

    id: UUID
    email: str = Field(description="The address that was invited")
    taken_at: UtcTime


class OfferOut(Out):
    """A seat that is kept for an address."""

    id: UUID
    email: str
    created_at: UtcTime
    expires_at: UtcTime


class SeatsOut(Out):
    """All seats of my subscription; its owner needs none."""

    subscription_id: UUID | None = Field(description="Null: none of mine has seats")
    total: int
    free: int = Field(description="Neither taken nor kept for somebody")
    seats: list[PlaceOut]
    invitations: list[OfferOut]


class InvitationIn(In):
    """Who shall have a seat."""

    email: Email


class AcceptIn(In):
    """What the mailed link carries."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=100)]


@router.get("")
def list_seats(caller: CurrentUser, session: DbSession) -> SeatsOut:
    """Who has a seat in my subscription, and who was invited."""
    found = seats.list_seats(session, caller.id, now=caller.now)
    return SeatsOut(
        subscription_id=found.subscription_id,
        total=found.total,
        free=found.free,
        seats=[PlaceOut.model_validate(place) for place in found.places],
        invitations=[OfferOut.model_validate(offer) for offer in found.offers],
    )


@router.post("", status_code=201)
def invite_to_seat(body: InvitationIn, caller: CurrentUser, session: DbSession) -> OfferOut:
    """Offer a seat by mail. Again for the same address sends a new link in place of the old one."""
    return OfferOut.model_validate(seats.invite(session, caller.id, body.email, now=caller.now))


@router.post("/accept")
def accept_seat(body: AcceptIn, caller: CurrentUser, session: DbSession) -> PlaceOut:
    """Take the seat that I was invited to, with the verified address that was invited."""
    return PlaceOut.model_validate(seats.accept(session, caller.id, body.token, now=caller.now))


@router.delete("/{seat_id}", status_code=204)
def remove_seat(seat_id: UUID, caller: CurrentUser, session: DbSession) -> None:
    """Take a seat of mine away or withdraw an invitation; or leave the seat that I have."""
    seats.remove(session, caller.id, seat_id, now=caller.now)
