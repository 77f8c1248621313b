"""What is told in the product beside a mail: pure. A mail that its reader should not have to find
in a mailbox (a failed payment, a refund, a trial that ends) rings the bell too, with its facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from studypack.emails.pages import page_url
from studypack.notifications.inbox import Notice
from studypack.notifications.models import EmailTemplate, NotificationType, Priority

Facts = Mapping[str, Any]

_SHOWN: Final = ("number", "access_until", "next_attempt_at", "refunded_at", "trial_end", "code")
"""Facts that a client may show in the reader's own words and time zone."""


def notice_of(
    template: EmailTemplate, user_id: UUID, *, occasion: str, facts: Facts
) -> Notice | None:
    """What to tell beside this mail, about the same occasion; None for a mail that is enough."""
    make = _MADE_OF.get(template)
    if make is None:
        return None
    type_, title, message, priority, link = make(facts)
    return Notice(
        user_id=user_id,
        type=type_,
        reference=f"{template}:{occasion}",
        title=title,
        message=message,
        priority=priority,
        link=link,
        data={name: facts[name] for name in _SHOWN if facts.get(name) is not None},
    )


_Made = tuple[NotificationType, str, str, Priority, str]
_BILLING: Final = page_url("", "billing")


def _what(facts: Facts) -> str:
    return str(facts.get("product_name") or "your purchase")


def _amount(facts: Facts) -> str:
    return str(facts.get("amount") or "The amount")


def _payment_failed(facts: Facts) -> _Made:
    return (
        NotificationType.PAYMENT_FAILED,
        "Your payment failed",
        f"{_amount(facts)} for {_what(facts)} could not be charged. Check how you pay.",
        Priority.HIGH,
        _BILLING,
    )


def _payment_failed_finally(facts: Facts) -> _Made:
    return (
        NotificationType.PAYMENT_FAILED,
        "Your payment still fails",
        f"{_amount(facts)} for {_what(facts)} could not be charged again. Your access ends soon.",
        Priority.HIGH,
        _BILLING,
    )


def _refund(facts: Facts) -> _Made:
    return (
        NotificationType.REFUND_COMPLETED,
        "Your refund is on its way",
        f"{_amount(facts)} for {_what(facts)} goes back to where you paid from.",
        Priority.NORMAL,
        _BILLING,
    )


def _trial_ending(facts: Facts) -> _Made:
    after = (
        "Your access ends with it."
        if facts.get("will_cancel")
        else f"Then you pay {facts['amount']}."
        if facts.get("amount")
        else "Then you pay for it."
    )
    return (
        NotificationType.ACCESS_ENDING,
        "Your trial ends soon",
        f"The trial of {_what(facts)} is about to end. {after}",
        Priority.NORMAL,
        _BILLING,
    )


def _certificate(facts: Facts) -> _Made:
    return (
        NotificationType.CERTIFICATE_ISSUED,
        "You have a certificate",
        f"You completed {facts['course_title']}.",
        Priority.NORMAL,
        page_url("", "certificate", facts["code"]),
    )


def _friend_request(facts: Facts) -> _Made:
    return (
        NotificationType.FRIEND_REQUEST,
        "Somebody wants to be your friend",
        f"{facts['requester_name']} would like to study with you.",
        Priority.NORMAL,
        page_url("", "friends"),
    )


_MADE_OF: Final[dict[EmailTemplate, Callable[[Facts], _Made]]] = {
    EmailTemplate.PAYMENT_FAILED: _payment_failed,
    EmailTemplate.PAYMENT_FAILED_FINAL: _payment_failed_finally,
    EmailTemplate.REFUND: _refund,
    EmailTemplate.TRIAL_ENDING: _trial_ending,
    EmailTemplate.CERTIFICATE: _certificate,
    EmailTemplate.FRIEND_REQUEST: _friend_request,
}
RINGING: Final = frozenset(_MADE_OF)
"""Mails beside which the bell rings."""
