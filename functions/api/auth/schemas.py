"""Requests and responses of sign-up, sign-in, e-mail and password."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from studypack.accounts.fields import Email, NewPassword, OneTimeCode, Password
from studypack.core.http import In, Out, ShortText, UtcTime

Token = Annotated[str, StringConstraints(min_length=20, max_length=200)]


class SignupIn(In):
    """A new account."""

    email: Email
    password: NewPassword
    first_name: ShortText | None = None
    last_name: ShortText | None = None
    timezone: Annotated[str, Field(max_length=64, examples=["Europe/Berlin"])] = "UTC"
    marketing_opt_out: bool = False


class LoginIn(In):
    """E-mail address and password."""

    email: Email
    password: Password


class TotpLoginIn(In):
    """The challenge that signing in answered, and a code."""

    challenge: Token
    code: OneTimeCode


class LinkIn(In):
    """Proof of being the owner (the password, or a code of the authenticator app), and where to go
    on: a path of the web client, or an address on one of our origins.
    """

    password: Password | None = None
    code: OneTimeCode | None = None
    return_to: Annotated[str, Field(max_length=500)] = "/"


class DepartureOut(Out):
    """Where this browser goes to link an account there."""

    url: str


class SignedInOut(Out):
    """The session just opened or renewed. The token is in the cookie too; it is shown this once."""

    user_id: UUID
    token: str = Field(description="For `Authorization: Bearer`")
    expires_at: UtcTime


class EmailIn(In):
    """Which account."""

    email: Email


class TokenIn(In):
    """The token of a mailed link."""

    token: Token


class VerifiedOut(Out):
    """The account's address after the confirmation; it changes only when both sides have
    confirmed.
    """

    email: str
    email_verified: bool


class ResetPasswordIn(In):
    """A mailed token and the new password."""

    token: Token
    password: NewPassword


class ChangePasswordIn(In):
    """The current password and the new one."""

    current_password: Password
    new_password: NewPassword


class LoginSessionOut(Out):
    """A signed-in browser or device."""

    id: UUID
    current: bool
    created_at: UtcTime
    last_seen_at: UtcTime
    expires_at: UtcTime
    ip: str | None
    user_agent: str | None


class PublicConfigOut(Out):
    """What a browser client must know before it signs anybody in."""

    build: str
    stage: str
    password_minimum_length: int
    media_base_url: str
    oauth_providers: list[str]
    features: list[str]
    free_plan_features: list[str]
