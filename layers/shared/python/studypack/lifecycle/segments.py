"""Whom a broadcast goes to: a few conditions, all of which must hold. Pure: conditions become SQL
of fixed text with parameters, and nothing asks a database.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from studypack.billing.tables.catalogue import Plan
from studypack.lifecycle.facts import live_plan
from studypack.lifecycle.inactivity import LATEST


class Segment(BaseModel):
    """Everybody, if nothing is said. Who may get marketing at all is asked of each besides."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verified: bool | None = None
    """Whether the address was verified."""
    plan: Plan | None = None
    """The plan of the live subscription; FREE: has none."""
    inactive_days: int | None = Field(None, ge=1, le=3650)
    """Nobody who was here in so many days."""
    signed_up_days: int | None = Field(None, ge=1, le=3650)
    """Signed up in the last so many days."""
    course: str | None = Field(None, min_length=1, max_length=100, pattern=r"^[a-z0-9-]+$")
    """The slug of a course in which they answered questions."""
    role: Literal["USER", "SUPPORT", "ADMIN"] | None = None
    timezone: str | None = Field(None, min_length=1, max_length=64)


_CONDITIONS: Final = {
    "verified": "(u.email_verified_at IS NOT NULL) = :segment_verified",
    "plan": f"{live_plan('u')} = :segment_plan",
    "inactive_days": f"({LATEST}) <= :now - make_interval(days => :segment_inactive_days)",
    "signed_up_days": "u.created_at > :now - make_interval(days => :segment_signed_up_days)",
    "course": """EXISTS (
        SELECT FROM learning.topic_mastery m
          JOIN learning.topics t ON t.id = m.topic_id JOIN learning.courses c ON c.id = t.course_id
         WHERE m.user_id = u.id AND c.slug = :segment_course AND c.deleted_at IS NULL)""",
    "role": "u.role = :segment_role",
    "timezone": "u.timezone = :segment_timezone",
}


def conditions(segment: Segment) -> tuple[str, dict[str, Any]]:
    """A condition on `auth.users u`, and its parameters; it may use :now as well."""
    said = segment.model_dump(mode="json", exclude_none=True)
    sql = " AND ".join(_CONDITIONS[name] for name in said)
    return sql or "true", {f"segment_{name}": value for name, value in said.items()}
