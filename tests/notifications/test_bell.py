"""What is told in the product beside a mail."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from studypack.core.database import transaction
from studypack.notifications.bell import notice_of
from studypack.notifications.catalogue import CATALOGUE
from studypack.notifications.models import EmailTemplate, NotificationType, Priority
from studypack.notifications.service import enqueue_email
from tests.support.mail_queue import reader

FACTS = {
    "product_name": "StudyPack Pro",
    "amount": "49.00 USD",
    "course_title": "Python",
    "code": "abc/1",
    "requester_name": "Bea",
    "number": "INV-2026-000001",
}
RUNG = {
    EmailTemplate.PAYMENT_FAILED: NotificationType.PAYMENT_FAILED,
    EmailTemplate.PAYMENT_FAILED_FINAL: NotificationType.PAYMENT_FAILED,
    EmailTemplate.REFUND: NotificationType.REFUND_COMPLETED,
    EmailTemplate.TRIAL_ENDING: NotificationType.ACCESS_ENDING,
    EmailTemplate.CERTIFICATE: NotificationType.CERTIFICATE_ISSUED,
    EmailTemplate.FRIEND_REQUEST: NotificationType.FRIEND_REQUEST,
}


def notice(template: EmailTemplate, **facts: Any) -> Any:
    return notice_of(template, uuid4(), occasion="invoice:1", facts=facts or FACTS)


def test_only_what_should_not_be_missed_rings() -> None:
    found = {each: made.type for each in EmailTemplate if (made := notice(each))}

    assert found == RUNG


@pytest.mark.parametrize("template", RUNG)
def test_the_facts_that_a_mail_needs_are_enough(template: EmailTemplate) -> None:
    made = notice(template, **dict.fromkeys(CATALOGUE[template].needs, "given"))

    assert "given" in made.message


def test_a_payment_that_fails_says_what_and_how_much_and_leads_to_billing() -> None:
    made = notice(EmailTemplate.PAYMENT_FAILED)

    assert made.message.startswith("49.00 USD for StudyPack Pro could not be charged.")
    assert (made.priority, made.link) == (Priority.HIGH, "/settings/billing")
    assert made.data == {"number": "INV-2026-000001", "code": "abc/1"}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"product_name": "Pro", "amount": "9.00 USD"}, "Then you pay 9.00 USD."),
        ({"product_name": "Pro", "will_cancel": True}, "Your access ends with it."),
    ],
)
def test_the_end_of_a_trial_says_what_follows(facts: dict[str, Any], expected: str) -> None:
    assert notice(EmailTemplate.TRIAL_ENDING, **facts).message.endswith(expected)


def test_a_link_holds_only_a_path() -> None:
    assert notice(EmailTemplate.CERTIFICATE).link == "/certificates/abc%2F1"


def test_a_mail_and_its_line_are_written_together_and_once(session: Any) -> None:
    from sqlalchemy import text

    person = reader()
    for _ in range(2):
        with transaction() as opened:
            enqueue_email(
                opened, person, EmailTemplate.REFUND, occasion="refund:1", amount="9.00 USD"
            )

    lines = session.execute(
        text("SELECT type, reference, message FROM notifications.notifications")
    ).all()
    assert [tuple(each) for each in lines] == [
        (
            "REFUND_COMPLETED",
            "REFUND:refund:1",
            "9.00 USD for your purchase goes back to where you paid from.",
        )
    ]


def test_what_is_rolled_back_was_not_told(session: Any) -> None:
    from sqlalchemy import text

    person = reader()

    def broken() -> None:
        with transaction() as opened:
            enqueue_email(opened, person, EmailTemplate.REFUND, occasion="refund:1")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        broken()
    assert session.execute(text("SELECT count(*) FROM notifications.notifications")).scalar() == 0
