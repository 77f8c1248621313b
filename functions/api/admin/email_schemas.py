"""Requests and responses about mails and broadcasts."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from studypack.core.http import In, Out, ShortText, UtcTime
from studypack.lifecycle.explaining import Kind
from studypack.lifecycle.segments import Segment
from studypack.notifications.models import (
    BroadcastStatus,
    Category,
    EmailStatus,
    EmailTemplate,
    SuppressionReason,
)

OneLine = Annotated[
    str, StringConstraints(min_length=1, max_length=150, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Markdown = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
PerMinute = Annotated[int, Field(ge=1, le=100_000, description="How many mails a minute")]


class EmailOut(Out):
    """A mail of the queue, without what it says."""

    id: UUID
    user_id: UUID
    template: EmailTemplate
    status: EmailStatus
    status_reason: str | None
    last_error: str | None
    attempts: int
    is_urgent: bool
    broadcast_id: UUID | None
    scheduled_for: UtcTime
    created_at: UtcTime
    processed_at: UtcTime | None


class StepOut(Out):
    """One thing that happened about a mail."""

    at: UtcTime
    kind: Kind
    template: EmailTemplate
    occasion: str
    email_id: UUID | None
    outcome: str
    rule: str | None
    reason: str | None
    evidence: dict[str, Any]
    sentence: str


class ExplanationOut(Out):
    """All of them, oldest first."""

    items: list[StepOut]


class SuppressionOut(Out):
    """An address that gets nothing (HARD_BOUNCE), no marketing (COMPLAINT) or not a category
    (UNSUBSCRIBE); the address itself is not kept.
    """

    id: UUID
    reason: SuppressionReason
    category: Category | None
    user_id: UUID | None = Field(description="Whose address it was then; null: nobody's we knew")
    provider_message_id: str | None = Field(description="SES's id of the mail that caused it")
    created_at: UtcTime
    lifted_at: UtcTime | None


class BroadcastIn(In):
    """A mail to many."""

    name: ShortText
    subject: OneLine
    body: Annotated[Markdown, Field(description="Markdown")]
    segment: Segment = Segment()
    per_minute: PerMinute = 600


class BroadcastPatch(In):
    """What to change; what is left out or null stays. Of a broadcast that was started only its
    name, and its rate while it is stopped.
    """

    name: ShortText | None = None
    subject: OneLine | None = None
    body: Annotated[Markdown | None, Field(description="Markdown")] = None
    segment: Segment | None = None
    per_minute: PerMinute | None = None


class BroadcastOut(Out):
    """A broadcast and how far it is."""

    id: UUID
    name: str
    subject: str
    body: str
    segment: Segment
    status: BroadcastStatus
    per_minute: int
    queued: int
    created_by: UUID | None
    created_at: UtcTime
    started_at: UtcTime | None
    finished_at: UtcTime | None


class PreviewOut(Out):
    """What readers will see, and how many there are."""

    subject: str
    html: str
    text: str
    recipients: int
    reachable: int
