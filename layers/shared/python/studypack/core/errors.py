"""Errors that carry their HTTP answer. One handler (core/http/problems.py) makes problem+json of
them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field of the input: dotted path, stable code, sentence."""

    field: str
    code: str
    message: str


class AppError(Exception):
    """An expected refusal: status, stable code, a sentence for people, and what else the client
    can use.
    """

    status: ClassVar[int] = 500
    code: str = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = extra
        """Members added to the problem document, e.g. `deadline_at` (RFC 9457, 3.2)."""


class BadRequest(AppError):
    status = 400
    code = "bad_request"


class Unauthenticated(AppError):
    status = 401
    code = "unauthenticated"

    def __init__(self, message: str = "Sign in to do this.", **details: Any) -> None:
        details.setdefault("headers", {"WWW-Authenticate": "Bearer"})
        super().__init__(message, **details)


class PaymentRequired(AppError):
    status = 402
    code = "entitlement_required"


class Forbidden(AppError):
    status = 403
    code = "forbidden"


class NotFound(AppError):
    status = 404
    code = "not_found"


class Conflict(AppError):
    status = 409
    code = "conflict"


class ContentTooLarge(AppError):
    status = 413
    code = "content_too_large"


class UnsupportedMediaType(AppError):
    status = 415
    code = "unsupported_media_type"


class Unprocessable(AppError):
    """The input is well formed and still cannot be used; `errors` name the fields."""

    status = 422
    code = "invalid_input"

    @classmethod
    def field(cls, field: str, message: str, *, code: str = "invalid") -> Unprocessable:
        """The common case: one field is at fault."""
        return cls(message, errors=[FieldError(field, code, message)])


class TooManyRequests(AppError):
    status = 429
    code = "too_many_requests"

    def __init__(self, message: str, *, retry_after_seconds: int, **details: Any) -> None:
        details["headers"] = {"Retry-After": str(max(1, retry_after_seconds))}
        super().__init__(message, **details)


class Unavailable(AppError):
    status = 503
    code = "unavailable"

    def __init__(self, message: str, *, retry_after_seconds: int = 5, **details: Any) -> None:
        details["headers"] = {"Retry-After": str(retry_after_seconds)}
        super().__init__(message, **details)


class Outage(Unavailable):
    """Every request meets this until somebody or something mends it; its text quotes nobody's
    data.
    """
