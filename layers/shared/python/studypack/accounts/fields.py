"""Fields of requests about accounts, which several functions read."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, EmailStr, Field, StringConstraints

from studypack.accounts.passwords import MAXIMUM_LENGTH, MINIMUM_LENGTH


def _short_enough(email: str) -> str:
    if len(email) > 254:
        raise ValueError("an e-mail address has at most 254 characters")
    return email


Email = Annotated[EmailStr, AfterValidator(_short_enough)]
Password = Annotated[
    str, StringConstraints(strip_whitespace=False, min_length=1, max_length=MAXIMUM_LENGTH)
]
NewPassword = Annotated[
    str,
    StringConstraints(strip_whitespace=False, min_length=MINIMUM_LENGTH, max_length=MAXIMUM_LENGTH),
]
OneTimeCode = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=6, max_length=40),
    Field(description="Six digits of the authenticator app, or a recovery code"),
]
