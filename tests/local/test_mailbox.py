"""The page that shows the mails which were sent on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from cron import dispatch_emails
from local import aws as local_aws
from local import mailbox, server
from local import template as sam
from studypack.core import aws
from studypack.core.config import get_settings
from studypack.integrations.email.ses import forget_ses
from tests.support.exams import JobContext
from tests.support.mail_queue import queue, reader

BASE = "http://127.0.0.1:8000"
LINK = "https://app.example.com/verify-email?token=abc-DEF_1&x=2"


@pytest.fixture
def endpoint(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with local_aws.running() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        _forget()
        local_aws.create_resources(sam.read(), url)
        yield url
    _forget()


def _forget() -> None:
    get_settings.cache_clear()
    aws.client.cache_clear()
    forget_ses()


@pytest.fixture
def local(endpoint: str) -> TestClient:
    return TestClient(server.build_app(sam.read(), server.Overview), base_url=BASE)


def mine(local: TestClient, address: str) -> list[dict[str, Any]]:
    """moto's mails outlive a server of it within one process."""
    return [each for each in local.get("/_local/mail.json").json() if each["to"] == address]


def send(address: str, *templates: str) -> None:
    person = reader(address)
    for template in templates:
        data = {"link": LINK} if template == "VERIFY_EMAIL" else {}
        queue(person, template, data=data, created_at=datetime.now(UTC))
    dispatch_emails.handler({}, JobContext())


def test_a_sent_mail_is_listed_with_its_template_and_its_link(local: TestClient) -> None:
    send("ada@mailbox.example", "VERIFY_EMAIL")

    [mail] = mine(local, "ada@mailbox.example")
    assert (mail["template"], mail["link"]) == ("VERIFY_EMAIL", LINK)
    page = local.get("/_local/mail")
    assert page.status_code == 200
    assert f'href="/_local/mail/{mail["id"]}"' in page.text
    assert LINK.replace("&", "&amp;") in page.text


def test_the_newest_comes_first(local: TestClient) -> None:
    send("bea@mailbox.example", "PASSWORD_CHANGED")
    send("cleo@mailbox.example", "TOTP_ENABLED")

    found = [each["to"] for each in local.get("/_local/mail.json").json()]
    assert found.index("cleo@mailbox.example") < found.index("bea@mailbox.example")


def test_the_queues_page_still_leads_to_where_a_sent_mail_leads(local: TestClient) -> None:
    send("dora@mailbox.example", "VERIFY_EMAIL")

    [row] = [
        each
        for each in local.get("/_local/outbox.json").json()
        if each["to"] == "dora@mailbox.example"
    ]
    assert (row["status"], row["link"], row["data"]) == ("SENT", LINK, {})


def test_a_mail_is_shown_as_html_in_a_sandbox_as_text_and_with_its_headers(
    local: TestClient,
) -> None:
    send("emma@mailbox.example", "VERIFY_EMAIL")
    [mail] = mine(local, "emma@mailbox.example")

    page = local.get(f"/_local/mail/{mail['id']}")

    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert f'<a href="{LINK.replace("&", "&amp;")}"' in page.text
    assert "Auto-Submitted" in page.text
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]

    html = local.get(f"/_local/mail/{mail['id']}/html")
    assert html.headers.get_list("Content-Security-Policy") == [mailbox.HTML_POLICY]
    assert '<base target="_blank">' in html.text
    assert LINK.replace("&", "&amp;") in html.text


@pytest.mark.parametrize("path", ["nothing", "nothing/html"])
def test_a_mail_that_was_never_sent_is_not_found(local: TestClient, path: str) -> None:
    assert local.get(f"/_local/mail/{path}").status_code == 404


def test_without_a_stand_in_nothing_was_sent_here(database_url: str) -> None:
    local = TestClient(server.build_app(sam.read(), server.Overview), base_url=BASE)

    assert local.get("/_local/mail.json").json() == []
    assert "No mail has been sent yet" in local.get("/_local/mail").text
    assert mailbox.read("http://127.0.0.1:9") == []


def test_a_page_elsewhere_cannot_read_it(local: TestClient) -> None:
    answer = local.get("/_local/mail.json", headers={"Host": "evil.example"})

    assert answer.status_code == 400


def test_what_a_mail_says_is_text_on_the_page() -> None:
    taken = {
        "id": "1",
        "raw_data": "To: <a@b.example>\nSubject: <script>alert(1)</script>\n\nHello <b>you</b>.",
    }
    mail = mailbox._mail(taken)

    page = server._environment().get_template("mail.html").render(mail=mail)

    assert "<script>alert(1)" not in page
    assert "<b>you</b>" not in page
    assert (mail.html, mail.email_id, mail.link) == (None, None, None)


def test_a_page_of_the_web_client_that_a_mail_leads_to_says_what_it_is(local: TestClient) -> None:
    for path in ("/friends", "/settings/notifications", "/achievements"):
        answer = local.get(path)
        assert answer.status_code == 200
        assert path in answer.text
    assert "The web client shows this page" not in local.get("/sign-in").text
