"""An event as its handler takes it, and which of two states of an object is the newer one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from studypack.billing.tables.customers import Customer
from studypack.billing.tables.mirror import Mirror
from studypack.billing.truth import Document, Truth

Version = tuple[datetime, str]
"""When Stripe made an event, and its id."""


class Unexplained(Exception):
    """An event that cannot take effect as things stand; the text is our own and nobody's data."""


@dataclass(frozen=True)
class Told:
    """One event: what happened to which object."""

    id: str
    type: str
    occurred_at: datetime
    object: Document
    """As it was after what happened."""
    previous: Mapping[str, Any]
    """What differed before, of `updated` events."""

    @property
    def version(self) -> Version:
        return (self.occurred_at, self.id)

    @property
    def object_id(self) -> str:
        return str(self.object["id"])


@dataclass
class Work:
    """What handlers work with: the transaction, in which the customer's row is locked, and what was
    fetched from Stripe.
    """

    session: Session
    customer: Customer
    truth: Truth
    owed_refunds: set[UUID] = field(default_factory=set)
    """Promised in this transaction: Stripe is asked for them after the commit."""
    owed_cancellations: set[UUID] = field(default_factory=set)


Handler = Callable[[Work, Told], None]


class Age(Enum):
    """An event's state beside the one that a row shows."""

    NEWER = "newer"
    OLDER = "older"
    SAME_SECOND = "same second"


def age_of(version: Version, known_at: datetime | None, known_id: str | None) -> Age:
    """Whether a state is newer than the known one; events of one second cannot tell."""
    if known_at is None:
        return Age.NEWER
    at, id = version
    if at != known_at:
        return Age.NEWER if at > known_at else Age.OLDER
    return Age.OLDER if id == known_id else Age.SAME_SECOND


def stamp(row: Mirror, version: Version) -> None:
    """Remember which event a row shows: the newest, in one second the one that sorts last."""
    if row.version_at is None or version > (row.version_at, row.event_id or ""):
        row.version_at, row.event_id = version


def told_by(document: Mapping[str, Any] | None) -> Told:
    """An event of the inbox. Raises Unexplained when its content is no longer kept."""
    if document is None:
        raise Unexplained("The content of this event is no longer kept.")
    data = document["data"]
    return Told(
        id=document["id"],
        type=document["type"],
        occurred_at=known_time(document["created"]),
        object=data["object"],
        previous=data.get("previous_attributes") or {},
    )


def time(seconds: int | None) -> datetime | None:
    """Stripe's seconds since 1970 as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def known_time(seconds: int) -> datetime:
    """Likewise, of one that is always given."""
    return datetime.fromtimestamp(seconds, UTC)


def id_of(reference: Any) -> str | None:
    """The id of a referenced object, expanded or not."""
    if reference is None or isinstance(reference, str):
        return reference
    found: str = reference["id"]
    return found
