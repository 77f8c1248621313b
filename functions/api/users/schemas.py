"""Requests and responses about one's own account."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, Field, HttpUrl, StringConstraints

from studypack.accounts.fields import Email, OneTimeCode, Password
from studypack.core.http import In, LongText, Out, ShortText, UtcTime
from studypack.core.http.schemas import small_json
from studypack.identity.models import Level, Role, UserType
from studypack.integrations.oauth.providers import ProviderName

Preferences = Annotated[
    dict[Annotated[str, StringConstraints(max_length=60)], Any], AfterValidator(small_json)
]
Link = Annotated[str, StringConstraints(max_length=500), AfterValidator(lambda v: str(HttpUrl(v)))]
Socials = Annotated[
    dict[Annotated[str, StringConstraints(max_length=40)], ShortText | None],
    Field(max_length=20),
]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9 ()./-]{4,32}$")]


class ProfileOut(Out):
    """What a learner told about themselves."""

    bio: str | None
    avatar_url: str | None
    location: str | None
    website: str | None
    occupation: str | None
    company: str | None
    phone: str | None
    address: str | None
    socials: dict[str, Any]
    onboarding_completed: bool
    user_type: UserType | None
    build_goal: str | None
    experience_level: Level | None
    grade_level: str | None
    primary_goal: str | None
    study_preference: str | None
    exam_date: date | None
    weekly_study_minutes: int | None


class MeOut(Out):
    """The signed-in user, as the client's shell needs it."""

    id: UUID
    email: str
    email_verified: bool
    first_name: str | None
    last_name: str | None
    role: Role
    timezone: str
    marketing_opt_out: bool
    access_override: bool
    features: list[str]
    time_factor: Decimal = Field(description="Accommodation: exam time is multiplied by it")
    preferences: dict[str, Any]
    profile: ProfileOut
    created_at: UtcTime
    last_login_at: UtcTime | None


class MePatch(In):
    """What to change; preferences are merged key by key, null removes a key."""

    first_name: ShortText | None = None
    last_name: ShortText | None = None
    timezone: Annotated[str, Field(min_length=1, max_length=64)] = "UTC"
    marketing_opt_out: bool = False
    preferences: Preferences = Field(default_factory=dict)


class ProfilePatch(In):
    """What to change; socials are merged key by key, null removes a key."""

    bio: LongText | None = None
    location: ShortText | None = None
    website: Link | None = None
    occupation: ShortText | None = None
    company: ShortText | None = None
    phone: Phone | None = None
    address: LongText | None = None
    socials: Socials = Field(default_factory=dict)
    grade_level: ShortText | None = None
    primary_goal: ShortText | None = None
    study_preference: ShortText | None = None
    exam_date: date | None = None
    weekly_study_minutes: Annotated[int, Field(ge=0, le=10_080)] | None = None


class OnboardingIn(In):
    """The onboarding's answers."""

    user_type: UserType
    experience_level: Level
    build_goal: LongText | None = None
    grade_level: ShortText | None = None
    primary_goal: ShortText | None = None
    study_preference: ShortText | None = None
    exam_date: date | None = None
    weekly_study_minutes: Annotated[int, Field(ge=0, le=10_080)] | None = None


class EmailChangeIn(In):
    """The new address, and the password as proof."""

    email: Email
    password: Password


class DeleteMeIn(In):
    """The password as proof."""

    password: Password


class OAuthAccountOut(Out):
    """A provider's account that signs one in."""

    provider: ProviderName
    email: str
    email_verified: bool
    created_at: UtcTime
    last_used_at: UtcTime


class TotpOut(Out):
    """How one's second step at sign-in stands."""

    enrolled: bool
    confirmed_at: UtcTime | None
    recovery_codes_left: int


class TotpEnrolIn(In):
    """The password as proof; an account without one is told 409 `set_password_first`."""

    password: Password | None = None


class TotpEnrolOut(Out):
    """For an authenticator app, by QR code or typed in; shown this once."""

    otpauth_uri: str
    secret: str


class CodeIn(In):
    """A code of the authenticator app."""

    code: OneTimeCode


class RenewedOut(Out):
    """The session goes on with a new token, which is in the cookie too; it is shown this once."""

    token: str = Field(description="For `Authorization: Bearer`")
    expires_at: UtcTime


class RecoveryCodesOut(Out):
    """Each signs one in once instead of the app's code; shown this once."""

    recovery_codes: list[str]


class TotpConfirmedOut(RenewedOut, RecoveryCodesOut):
    """One-time codes are on."""


class TotpDisableIn(In):
    """The password as proof, and a code."""

    password: Password | None = None
    code: OneTimeCode
