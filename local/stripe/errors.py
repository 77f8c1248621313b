"""Refusals in the shape of Stripe's error documents."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A refusal that the API answers with; what was changed before it was raised stays."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        given = {"code": code, "param": param, **more}
        self.error = {
            **{key: value for key, value in given.items() if value is not None},
            "message": message,
            "type": kind,
        }


def missing(kind: str, identifier: str, param: str = "id") -> ApiError:
    """404: there is no such object."""
    name = kind.rpartition(".")[2].replace("_", "")
    if kind in {"payment_intent", "payment_method", "promotion_code", "checkout.session"}:
        name = kind if kind != "payment_method" else "PaymentMethod"
    return ApiError(
        f"No such {name}: '{identifier}'", status=404, code="resource_missing", param=param
    )


def unsupported(what: str, param: str | None = None) -> ApiError:
    """400: Stripe could, the stand-in can't, and says so rather than pretending."""
    return ApiError(f"The stand-in does not do this: {what}.", code="standin_cannot", param=param)


def declined(code: str, decline_code: str | None, message: str, **more: Any) -> ApiError:
    """402: the card said no."""
    return ApiError(
        message, status=402, kind="card_error", code=code, decline_code=decline_code, **more
    )
