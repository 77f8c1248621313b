from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.notifications import mime

ID = UUID("01936c5e-0000-7000-8000-000000000001")
SENDER = mime.Sender("StudyPack <hello@studypack.example>", "help@studypack.example")
URL = "https://api.example.com/api/email/unsubscribe?token=" + "a" * 120


def built(**given: Any) -> bytes:
    values: dict[str, Any] = {
        "sender": SENDER,
        "to": "ada@example.com",
        "subject": "Your receipt",
        "html": "<p>Thank you</p>",
        "text": "Thank you\n",
        "now": datetime(2026, 11, 18, 12, tzinfo=UTC),
    }
    return mime.build(ID, **(values | given))


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


def test_a_message_has_the_headers_that_receivers_ask_for() -> None:
    message = read(built(unsubscribe_url=URL))

    assert message["From"] == "StudyPack <hello@studypack.example>"
    assert message["Reply-To"] == "help@studypack.example"
    assert message["Message-ID"] == f"<{ID}@studypack.example>"
    assert message["Date"] == "Wed, 18 Nov 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Entity-Ref-ID"] == str(ID)
    assert message["List-Unsubscribe"] == f"<{URL}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_long_links_stand_in_one_line_as_they_are() -> None:
    assert f"List-Unsubscribe: <{URL}>\r\n".encode() in built(unsubscribe_url=URL)


def test_what_one_cannot_unsubscribe_from_does_not_offer_it() -> None:
    assert b"List-Unsubscribe" not in built()


def test_text_comes_before_html_and_both_say_what_they_were_given() -> None:
    raw = built(text="Größe - ok\n", html="<p>Größe - " + "lang " * 300 + "</p>")

    parts = list(read(raw).walk())
    assert [part.get_content_type() for part in parts] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    assert parts[1].get_content().splitlines() == ["Größe - ok"]  # type: ignore[attr-defined]
    assert "lang " * 300 in parts[2].get_content()  # type: ignore[attr-defined]
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) < 998


@given(st.text(max_size=200))
def test_no_subject_makes_a_header_of_its_own(subject: str) -> None:
    try:
        message = read(built(subject=subject))
    except ValueError:  # refused
        return
    assert set(message.keys()) == set(read(built()).keys())
    assert message["To"] == "ada@example.com"


@pytest.mark.parametrize("subject", ["a\r\nBcc: x@example.com", "a\nBcc: x", "a\rBcc: x"])
def test_a_line_break_in_a_subject_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        built(subject=subject)


@pytest.mark.parametrize(
    "address",
    [
        "x@example.com\r\nBcc: y@example.com",
        "x\n@example.com",
        "x@example.com, y@example.com",
        "Ada <ada@example.com>",
        "a b@example.com",
        "ä@example.com",
        "x@y@example.com",
        "x@",
        "@example.com",
        "x",
        "",
        "x@" + "a" * 64 + ".com",
        "x" * 250 + "@example.com",
        "x@-.",
        "x\x00@example.com",
    ],
)
def test_what_is_no_address_gets_no_mail(address: str) -> None:
    with pytest.raises(mime.BadAddress):
        built(to=address)


@given(st.text(max_size=60))
def test_whatever_is_taken_for_an_address_is_the_only_one(address: str) -> None:
    try:
        taken = mime.ascii_address(address)
    except mime.BadAddress:
        return
    message = read(built(to=address))
    assert [each.addr_spec for each in message["To"].addresses] == [taken]


def test_a_domain_with_other_letters_is_written_as_the_dns_does() -> None:
    assert mime.ascii_address("ada@exämple.com") == "ada@xn--exmple-cua.com"
