"""What SES reports, through a real queue (moto's) and our own worker."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from local import aws
from local import template as sam
from local.queues import Queues
from studypack.core.ids import uuid7
from tests.support import bank
from tests.support.exams import JobContext
from tests.support.inbox import envelope, report
from tests.support.mail_queue import decisions, queue, row
from workers.ses_events.handler import handler

TEMPLATE = """
Resources:
  MailEvents:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {name}
      VisibilityTimeout: 0
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 2}}
  Dead:
    Type: AWS::SQS::Queue
    Properties: {{QueueName: {name}-dead}}
  SesEvents:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/
      Handler: workers.ses_events.handler.handler
      Events:
        Reports:
          Type: SQS
          Properties:
            Queue: !GetAtt MailEvents.Arn
            BatchSize: 10
            FunctionResponseTypes: [ReportBatchItemFailures]
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with aws.running() as url:
        yield url


class Pipe:
    """The queue with its worker."""

    def __init__(self, endpoint: str) -> None:
        template = sam.parse(TEMPLATE.format(name=f"q-{uuid4().hex}"))
        self.sqs = aws.client("sqs", endpoint)
        self.queues = Queues(
            template, self.sqs, invoke=lambda _, event: handler(event, JobContext(60_000))
        )
        [self.mapping] = self.queues.mappings

    def send(self, *messages: Any) -> None:
        for message in messages:
            body = message if isinstance(message, str) else json.dumps(message)
            self.sqs.send_message(QueueUrl=self.mapping.queue_url, MessageBody=body)

    def drain(self) -> tuple[int, int]:
        drained = self.queues.drain_once(self.mapping)
        assert drained.error is None
        return drained.received, drained.failed

    def left(self, name: str) -> int:
        answer = self.sqs.get_queue_attributes(
            QueueUrl=self.queues.urls[name], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


@pytest.fixture
def pipe(endpoint: str, database_url: str) -> Pipe:
    return Pipe(endpoint)


def sent(person: Any, provider_id: str, *, to: str | None = None) -> UUID:
    """A mail of somebody's that SES took."""
    log_id = uuid7()
    bank.execute(
        "INSERT INTO notifications.email_logs"
        " (id, user_id, template, to_address, subject, status, provider_message_id)"
        " VALUES (:id, :user, 'PASSWORD_CHANGED', :to, 'Hello', 'SENT', :provider)",
        id=log_id,
        user=person.id,
        to=to or person.email,
        provider=provider_id,
    )
    return log_id


def delivery(log_id: UUID) -> tuple[Any, ...]:
    return tuple(
        bank.row(
            "SELECT delivery, error, delivery_at FROM notifications.email_logs WHERE id = :i",
            i=log_id,
        )
    )


def suppressions() -> list[tuple[Any, ...]]:
    return [
        tuple(each)
        for each in bank.rows(
            "SELECT reason, category, user_id, provider_message_id,"
            " address_hash = sha256(convert_to('reader@example.com', 'UTF8'))"
            " FROM notifications.email_suppressions ORDER BY reason, created_at"
        )
    ]


@pytest.fixture
def reader(sign_up: Any) -> Any:
    """Somebody at reader@example.com, with no mail waiting."""
    from dataclasses import replace

    person = sign_up()
    bank.execute(
        "UPDATE auth.users SET email = 'Reader@example.com', email_verified_at = now()"
        " WHERE id = :i",
        i=person.id,
    )
    bank.execute("DELETE FROM notifications.email_queue")
    return replace(person, email="Reader@example.com")


@pytest.mark.parametrize(
    ("kind", "details", "expected"),
    [
        ("Delivery", {}, ("DELIVERED", None)),
        ("DeliveryDelay", {}, ("DELAYED", None)),
        ("Bounce", {"bounce_type": "Permanent"}, ("BOUNCED", "hard_bounce")),
        ("Bounce", {"bounce_type": "Transient"}, ("BOUNCED", "soft_bounce")),
        ("Bounce", {"bounce_type": "Undetermined"}, ("BOUNCED", "soft_bounce")),
        ("Complaint", {}, ("COMPLAINED", "complaint")),
        ("Complaint", {"complaintFeedbackType": "not-spam"}, (None, None)),
        ("Reject", {}, ("BOUNCED", "rejected")),
        ("Send", {}, (None, None)),
        ("Open", {}, (None, None)),
    ],
)
def test_the_log_says_what_became_of_a_mail(
    pipe: Pipe, reader: Any, kind: str, details: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    log_id = sent(reader, "m1")
    pipe.send(report(kind, "m1", reader.email, **details))

    assert pipe.drain() == (1, 0)
    assert delivery(log_id)[:2] == expected


STORY = [
    ("DeliveryDelay", "2026-11-18T12:00:02Z", "Permanent"),
    ("Bounce", "2026-11-18T12:00:03Z", "Transient"),
    ("Delivery", "2026-11-18T12:00:04Z", "Permanent"),
    ("Bounce", "2026-11-18T12:00:05Z", "Permanent"),
    ("Complaint", "2026-11-18T12:00:06Z", "Permanent"),
]


def test_in_every_order_and_however_often_it_ends_the_same(pipe: Pipe, reader: Any) -> None:
    from studypack.core.database import transaction
    from studypack.integrations.email.events import read_event
    from studypack.notifications.listening import take

    rank = [0, 1, 2, 3, 4]
    for length in range(1, len(STORY) + 1):
        for number, order in enumerate(itertools.permutations(rank, length)):
            if length > 3 and number % 7:
                continue
            name = f"m{'-'.join(map(str, order))}"
            log_id = sent(reader, name)
            with transaction() as session:
                for index in (*order, order[0]):
                    kind, at, bounce = STORY[index]
                    event = read_event(report(kind, name, reader.email, at=at, bounce_type=bounce))
                    assert event is not None
                    take(session, event)
            kind, at, bounce = STORY[max(order)]
            assert delivery(log_id)[2] == datetime.fromisoformat(at), order
    assert len(suppressions()) == 2


def test_of_two_reports_of_one_kind_the_earlier_time_stays(pipe: Pipe, reader: Any) -> None:
    log_id = sent(reader, "m1")
    times = ["2026-11-18T12:00:09Z", "2026-11-18T12:00:03Z", "2026-11-18T12:00:07Z"]
    pipe.send(*(report("Delivery", "m1", reader.email, at=at) for at in times))

    pipe.drain()

    assert delivery(log_id)[2] == datetime(2026, 11, 18, 12, 0, 3, tzinfo=UTC)


def test_a_hard_bounce_suppresses_the_address_once_and_takes_back_what_waits(
    pipe: Pipe, reader: Any, other_learner: Any
) -> None:
    sent(reader, "m1")
    waiting = [queue(reader.id, name) for name in ("PASSWORD_CHANGED", "WEEKLY_DIGEST")]
    elsewhere = queue(reader.id, "CONFIRM_EMAIL_CHANGE", to_address="new@example.com")
    others = queue(other_learner.id)
    message = report("Bounce", "m1", "reader@EXAMPLE.com")

    pipe.send(message, message)
    assert pipe.drain() == (2, 0)

    assert suppressions() == [("HARD_BOUNCE", None, reader.id, "m1", True)]
    assert [row(each)["status_reason"] for each in waiting] == ["bounced", "bounced"]
    assert [row(each)["status"] for each in (elsewhere, others)] == ["PENDING", "PENDING"]
    assert sorted(decisions(reader.id)) == [
        ("PASSWORD_CHANGED", "CANCEL", "bounced"),
        ("WEEKLY_DIGEST", "CANCEL", "bounced"),
    ]


def test_a_complaint_stops_marketing_only(pipe: Pipe, reader: Any) -> None:
    sent(reader, "m1")
    receipt, digest = queue(reader.id, "RECEIPT"), queue(reader.id, "WEEKLY_DIGEST")

    pipe.send(report("Complaint", "m1", reader.email))
    pipe.drain()

    assert suppressions() == [("COMPLAINT", None, reader.id, "m1", True)]
    assert row(receipt)["status"] == "PENDING"
    assert row(digest)["status_reason"] == "complained"


@pytest.mark.parametrize("bounce", ["Transient", "Undetermined"])
def test_a_soft_bounce_suppresses_nobody(pipe: Pipe, reader: Any, bounce: str) -> None:
    sent(reader, "m1")
    waiting = queue(reader.id)

    pipe.send(report("Bounce", "m1", reader.email, bounce_type=bounce))
    pipe.drain()

    assert suppressions() == []
    assert row(waiting)["status"] == "PENDING"


def test_an_unknown_mail_is_no_fault_and_its_bounce_still_counts(pipe: Pipe, reader: Any) -> None:
    pipe.send(
        report("Delivery", "unknown", reader.email), report("Bounce", "unknown", "x@example.com")
    )

    assert pipe.drain() == (2, 0)
    assert [each[:3] for each in suppressions()] == [("HARD_BOUNCE", None, None)]


def test_a_domain_with_other_letters_is_suppressed_as_it_was_given(pipe: Pipe, reader: Any) -> None:
    sent(reader, "m1", to="reader@müller.example")
    pipe.send(report("Bounce", "m1", "reader@xn--mller-kva.example"))
    pipe.drain()

    known = bank.value(
        "SELECT count(*) FROM notifications.email_suppressions"
        " WHERE address_hash = sha256(convert_to('reader@müller.example', 'UTF8'))"
    )
    assert known == 1


def test_an_invitations_bounce_is_not_its_inviters(pipe: Pipe, reader: Any) -> None:
    sent(reader, "m1", to="guest@example.com")
    own = queue(reader.id)
    invitation = queue(reader.id, "SEAT_INVITATION", to_address="Guest@example.com")

    pipe.send(report("Bounce", "m1", "guest@example.com"))
    pipe.drain()

    assert suppressions() == [("HARD_BOUNCE", None, None, "m1", False)]
    assert (row(own)["status"], row(invitation)["status"]) == ("PENDING", "CANCELLED")


def test_a_try_that_broke_off_is_known_by_its_report_to_have_been_sent(
    pipe: Pipe, reader: Any
) -> None:
    broken_off = queue(
        reader.id,
        "VERIFY_EMAIL",
        data={"link": "https://app.example.com/verify-email?token=secret"},
        sending_since="2026-11-18T12:00:00Z",
        attempts=1,
        lease_id=uuid4(),
        leased_until="2026-11-18T12:02:00Z",
    )
    pipe.send(
        report("Delivery", "m1", reader.email, email_id=broken_off),
        report("Send", "m1", reader.email, email_id=broken_off),
    )
    assert pipe.drain() == (2, 0)

    found = row(broken_off)
    assert (found["status"], found["lease_id"], found["sending_since"]) == ("SENT", None, None)
    assert found["data"] == {}
    [log] = bank.rows(
        "SELECT status, provider_message_id, attempt, may_be_duplicate, delivery, subject"
        " FROM notifications.email_logs WHERE queue_id = :i",
        i=broken_off,
    )
    assert tuple(log) == ("SENT", "m1", 1, False, "DELIVERED", "Your password was changed")


def test_the_second_try_after_one_without_an_answer_is_said_to_be_a_possible_duplicate(
    pipe: Pipe, reader: Any
) -> None:
    second = queue(reader.id, sending_since="2026-11-18T12:00:00Z", attempts=2)

    pipe.send(report("Send", "m2", reader.email, email_id=second))
    pipe.drain()

    assert bank.value("SELECT may_be_duplicate FROM notifications.email_logs") is True


@pytest.mark.parametrize(
    "columns",
    [
        {"status": "PENDING"},
        {"status": "CANCELLED", "sending_since": "2026-11-18T12:00:00Z"},
        {"status": "SENT"},
    ],
)
def test_a_mail_that_is_not_in_doubt_is_left_as_it_is(
    pipe: Pipe, reader: Any, columns: dict[str, Any]
) -> None:
    mail = queue(reader.id, **columns)
    before = row(mail)

    pipe.send(report("Send", "m1", reader.email, email_id=mail))
    pipe.drain()

    assert row(mail) == before


def test_poison_goes_to_the_dead_letter_queue_alone(pipe: Pipe, reader: Any) -> None:
    log_id = sent(reader, "m1")
    poison = [
        "not json",
        json.dumps(["a list"]),
        json.dumps({"Message": 7}),
        envelope("not json"),
        envelope(json.dumps({"eventType": "Bounce"})),
        envelope(json.dumps({"eventType": "Sneeze", "mail": {}})),
        report("Delivery", "", reader.email),
    ]
    pipe.send(*poison, report("Delivery", "m1", reader.email))

    assert pipe.drain() == (8, 7)
    assert pipe.drain() == (7, 7)
    pipe.drain()

    assert delivery(log_id)[0] == "DELIVERED"
    assert (pipe.left("MailEvents"), pipe.left("Dead")) == (0, 7)


def test_what_ses_says_when_the_topic_is_made_is_taken(pipe: Pipe) -> None:
    pipe.send(envelope("Successfully validated SNS topic for Amazon SES event publishing."))

    assert pipe.drain() == (1, 0)


def test_no_line_of_the_log_shows_an_address(pipe: Pipe, reader: Any, log: Any) -> None:
    sent(reader, "m1")
    pipe.send(
        report("Bounce", "m1", reader.email, timestamp=None),
        report("Reject", "m1", reader.email),
        envelope(f"{reader.email} is no JSON"),
    )
    pipe.drain()

    assert "MalformedEvent" in log()
    assert "virus" in log()
    assert "reader@example.com" not in log().lower()


def test_a_mail_that_was_given_up_in_doubt_is_known_by_its_report_to_have_been_sent(
    pipe: Pipe, reader: Any
) -> None:
    given_up = queue(
        reader.id,
        status="FAILED",
        status_reason="gave_up",
        last_error="no_answer",
        sending_since="2026-11-18T12:00:00Z",
        attempts=6,
    )
    pipe.send(report("Send", "m6", reader.email, email_id=given_up))
    pipe.drain()

    found = row(given_up)
    assert (found["status"], found["status_reason"], found["last_error"]) == ("SENT", None, None)
