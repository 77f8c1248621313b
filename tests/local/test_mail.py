from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from cron import dispatch_emails
from local import aws as local_aws
from local import template as sam
from studypack.core import aws
from studypack.core.config import get_settings
from studypack.integrations.email.ses import forget_ses
from tests.support.exams import JobContext
from tests.support.mail_queue import queue, reader, row


@pytest.fixture
def standins(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with local_aws.running() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        _forget()
        local_aws.create_resources(sam.read(), endpoint)
        yield
    _forget()


def _forget() -> None:
    get_settings.cache_clear()
    aws.client.cache_clear()
    forget_ses()


@pytest.mark.usefixtures("standins")
def test_mails_are_sent_by_the_same_code_on_one_machine() -> None:
    mail = queue(reader("only-here@mail.example"))

    report = dispatch_emails.handler({}, JobContext())

    assert (report["processed"], report["complete"]) == (1, True)
    # moto keeps what it took for as long as this process lives.
    taken = ses_backends[DEFAULT_ACCOUNT_ID][local_aws.REGION].sent_messages
    [sent] = [each for each in taken if "only-here@mail.example" in each.destinations]
    assert f"X-Entity-Ref-ID: {mail}" in sent.raw_data
    assert row(mail)["status"] == "SENT"
