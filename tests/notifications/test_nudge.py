"""Urgent mails are sent right after the commit that queued them: over a real SQS (moto's), by the
worker that its messages call.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.orm import Session

from cron import dispatch_emails
from local import aws as local_aws
from local import template as sam
from local.queues import Queues
from studypack.core import aws
from studypack.core.config import get_settings
from studypack.core.database import transaction
from studypack.integrations.email.ses import forget_ses
from studypack.notifications.models import EmailTemplate
from studypack.notifications.nudge import KEY
from studypack.notifications.service import enqueue_email
from tests.support.exams import JobContext
from tests.support.mail_queue import mails, reader, row
from tests.support.ses_standin import THROTTLE, SesStandIn
from workers.send_emails.handler import handler

TEMPLATE = sam.read()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with local_aws.running() as url:
        yield url


@pytest.fixture
def queue_url(endpoint: str, ses: SesStandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The queue of the template; SQS is moto's, SES the one that does as it is told."""
    sqs = local_aws.client("sqs", endpoint)
    url = local_aws.create_queues(TEMPLATE, sqs)["EmailQueue"]
    monkeypatch.setenv("EMAIL_QUEUE_URL", url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", endpoint)
    get_settings.cache_clear()
    aws.client.cache_clear()
    forget_ses()
    yield url
    sqs.delete_queue(QueueUrl=url)


@pytest.fixture
def messages(endpoint: str, queue_url: str) -> Callable[[], list[list[UUID]]]:
    """Takes what lies in the queue: the ids that each message names."""
    sqs = local_aws.client("sqs", endpoint)

    def take() -> list[list[UUID]]:
        answer = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        bodies = [json.loads(each["Body"]) for each in answer.get("Messages", ())]
        return [[UUID(each) for each in body[KEY]] for body in bodies]

    return take


def enqueue(session: Session, user_id: UUID, template: str, occasion: str = "1") -> None:
    enqueue_email(session, user_id, EmailTemplate(template), occasion=f"{user_id}:{occasion}")


def event(*bodies: Any) -> dict[str, Any]:
    sample = json.loads((sam.ROOT / "events/workers/send_emails.json").read_text("utf-8"))
    record = sample["Records"][0]
    return {
        "Records": [
            {**record, "messageId": f"m{number}", "body": json.dumps(body)}
            for number, body in enumerate(bodies)
        ]
    }


def naming(*ids: UUID) -> dict[str, list[str]]:
    return {KEY: [str(each) for each in ids]}


def failed(answer: dict[str, Any]) -> list[str]:
    return [each["itemIdentifier"] for each in answer["batchItemFailures"]]


def test_a_message_names_the_urgent_mails_of_a_transaction_once_it_has_committed(
    messages: Callable[[], list[list[UUID]]],
) -> None:
    user = reader()
    with transaction() as session:
        enqueue(session, user, "PASSWORD_CHANGED", "1")
        enqueue(session, user, "PASSWORD_CHANGED", "2")
        enqueue(session, user, "WELCOME")
        assert messages() == []

    queued = mails(user)
    assert [each["is_urgent"] for each in queued] == [True, True, False]
    assert messages() == [[each["id"] for each in queued if each["is_urgent"]]]


def test_a_transaction_that_is_rolled_back_tells_nobody(
    messages: Callable[[], list[list[UUID]]],
) -> None:
    user = reader()

    def fail() -> None:
        with transaction() as session:
            enqueue(session, user, "PASSWORD_CHANGED")
            raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        fail()

    with transaction() as session:
        enqueue(session, user, "WELCOME")
    assert messages() == []


def test_a_savepoint_tells_nobody_before_the_whole_is_committed(
    messages: Callable[[], list[list[UUID]]],
) -> None:
    user = reader()
    with transaction() as session:
        with session.begin_nested():
            enqueue(session, user, "PASSWORD_CHANGED")
        assert messages() == []

    assert len(messages()) == 1


def test_the_same_occasion_again_is_not_told_again(
    messages: Callable[[], list[list[UUID]]],
) -> None:
    user = reader()
    for _ in range(2):
        with transaction() as session:
            enqueue(session, user, "PASSWORD_CHANGED")

    assert len(messages()) == 1
    assert len(mails(user)) == 1


def test_many_mails_make_several_messages(messages: Callable[[], list[list[UUID]]]) -> None:
    user = reader()
    with transaction() as session:
        for number in range(60):
            enqueue(session, user, "PASSWORD_CHANGED", str(number))

    assert sorted(map(len, messages())) == [10, 50]


@pytest.mark.parametrize("url", ["", "http://127.0.0.1:9/000000000000/EmailQueue"])
def test_without_a_queue_the_job_sends_the_mail(
    ses: SesStandIn, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("EMAIL_QUEUE_URL", url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://127.0.0.1:9")
    get_settings.cache_clear()
    aws.client.cache_clear()
    user = reader("ada@example.com")

    with transaction() as session:
        enqueue(session, user, "PASSWORD_CHANGED")
    report = dispatch_emails.handler({}, JobContext())

    assert len(ses.to("ada@example.com")) == 1
    assert (report["processed"], report["complete"]) == (1, True)


def test_the_worker_sends_what_a_message_names(queue_url: str, ses: SesStandIn) -> None:
    local = Queues(TEMPLATE, aws.client("sqs"))
    [mapping] = [each for each in local.mappings if each.source.queue == "EmailQueue"]
    user = reader("ada@example.com")
    with transaction() as session:
        enqueue(session, user, "PASSWORD_CHANGED")
        enqueue(session, user, "WELCOME")

    drained = local.drain_once(mapping)

    assert (drained.received, drained.failed) == (1, 0)
    assert [each.tags["template"] for each in ses.taken] == ["PASSWORD_CHANGED"]
    assert local.drain_once(mapping).received == 0


def test_a_message_about_a_mail_that_is_sent_or_gone_is_done(
    queue_url: str, ses: SesStandIn
) -> None:
    user = reader()
    with transaction() as session:
        enqueue(session, user, "PASSWORD_CHANGED")
    [mail] = mails(user)
    gone = UUID("01936c5e-0000-7000-8000-000000000001")

    for _ in range(2):
        assert failed(handler(event(naming(mail["id"], gone)), JobContext())) == []

    assert len(ses.taken) == 1


def test_a_message_that_ses_would_not_take_now_comes_again_alone(
    queue_url: str, ses: SesStandIn
) -> None:
    users = [reader("slow@example.com"), reader("fast@example.com")]
    with transaction() as session:
        for user in users:
            enqueue(session, user, "PASSWORD_CHANGED")
    slow, fast = [mails(user)[0]["id"] for user in users]
    take = ses.answer
    ses.answer = lambda to: THROTTLE if to == "slow@example.com" else take(to)

    answer = handler(event(naming(slow), {"nonsense": 1}, naming(fast)), JobContext())

    assert failed(answer) == ["m0", "m1"]
    assert (row(slow)["status"], row(fast)["status"]) == ("PENDING", "SENT")
    ses.answer = take
    assert failed(handler(event(naming(slow)), JobContext())) == []
    assert row(slow)["status"] == "SENT"


@pytest.mark.parametrize("route", ["password/forgot", "verify-email/resend"])
def test_who_waits_for_a_link_gets_it_at_once(
    route: str, queue_url: str, api: Any, learner: Any, messages: Callable[[], list[list[UUID]]]
) -> None:
    messages()
    assert api.post(f"/api/auth/{route}", json={"email": learner.email}).status_code == 202

    newest = mails(learner.id)[-1]
    assert newest["is_urgent"]
    assert messages() == [[newest["id"]]]


def test_the_worker_is_told_of_a_link_for_an_unknown_address_too(
    queue_url: str, api: Any, messages: Callable[[], list[list[UUID]]], ses: SesStandIn
) -> None:
    """Else the time of an answer would tell who has an account."""
    nobody = {"email": "nobody@example.com"}
    assert api.post("/api/auth/password/forgot", json=nobody).status_code == 202

    [[unknown]] = messages()
    assert failed(handler(event(naming(unknown)), JobContext(60_000))) == []
    assert ses.taken == []
