"""Requests and responses of the back office."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from studypack.admin.users import Account
from studypack.core.http import In, Out, ShortText, UtcTime
from studypack.identity.models import Role


class AccommodationIn(In):
    """How much more exam time, and why."""

    time_factor: Annotated[
        Decimal,
        Field(ge=1, le=4, decimal_places=2, description="1.5 is half as much again; 1 ends it"),
    ]
    reason: ShortText


class RoleIn(In):
    """What the account may do from now on."""

    role: Role


class AccountPatch(In):
    """What to change; what is left out stays."""

    is_active: Annotated[bool, Field(description="false closes the account until it is true")] = (
        True
    )
    access_override: Annotated[bool, Field(description="Every feature without paying")] = False


class AccommodationOut(Out):
    """The accommodation in force."""

    time_factor: Decimal
    reason: str
    granted_by: UUID | None
    granted_at: UtcTime


class AccountOut(Out):
    """An account as support sees it."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None
    role: Role
    is_active: bool
    access_override: bool
    timezone: str
    created_at: UtcTime
    last_login_at: UtcTime | None
    accommodation: AccommodationOut | None

    @classmethod
    def of(cls, account: Account) -> AccountOut:
        """From the service's account."""
        user = account.user
        granted = account.accommodation
        return cls(
            id=user.id,
            email=user.email,
            email_verified=user.email_verified_at is not None,
            first_name=user.first_name,
            last_name=user.last_name,
            role=user.role,
            is_active=user.is_active,
            access_override=user.access_override,
            timezone=user.timezone,
            created_at=user.created_at,
            last_login_at=user.last_login_at,
            accommodation=None if granted is None else AccommodationOut.model_validate(granted),
        )


class AuditEntryOut(Out):
    """One act."""

    id: UUID
    action: str = Field(examples=["account.role_changed"])
    actor_id: UUID | None = Field(description="null: nobody signed in, or a job")
    subject_id: UUID | None
    details: dict[str, Any]
    created_at: UtcTime
