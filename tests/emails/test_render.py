from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from local.emails import preview_context, previews
from studypack.core.business_settings import BusinessSettings
from studypack.core.config import get_settings
from studypack.emails.render import Rendered, context, render
from studypack.emails.wording import UnsafeLink
from studypack.notifications.models import EmailTemplate
from tests.support.html import parse

USUAL = {preview.template: preview.data for preview in reversed(list(previews()))}
ALL = list(EmailTemplate)
HOSTILE = '<script>alert(1)</script>" onmouseover="x" \' {{ 7 * 7 }} {% raw %} &amp;'


def made(template: EmailTemplate, **changes: Any) -> Rendered:
    return render(template, {**USUAL[template], **preview_context(template), **changes})


def without(facts: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != key}


def poisoned(value: Any, poison: str) -> Any:
    """`value` with every text in it replaced, but what must be a moment, a link or a choice."""
    if isinstance(value, list):
        return [poisoned(item, poison) for item in value]
    if isinstance(value, dict):
        return {key: poisoned(item, poison) for key, item in value.items()}
    if not isinstance(value, str) or value in {"GOOGLE", "GITHUB"}:
        return value
    if value.startswith("https://") or (value[:4] == "2026" and value[4] == "-"):
        return value
    return poison


@pytest.mark.parametrize("template", ALL)
def test_hostile_facts_stay_text(template: EmailTemplate) -> None:
    facts = {
        **poisoned(USUAL[template], HOSTILE),
        **preview_context(template),
        "first_name": HOSTILE,
        "email": HOSTILE,
        "seller_name": HOSTILE,
        "seller_address": [HOSTILE],
    }
    mail = render(template, facts)
    tree = parse(mail.html)
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert "script" not in tags
    assert not [name for element in tree.iter() for name in element.attrib if name.startswith("on")]
    assert "49" not in mail.subject
    assert "7 * 7" in "".join(tree.itertext())


@pytest.mark.parametrize("template", ALL)
def test_no_fact_breaks_a_subject_or_a_line_of_text(template: EmailTemplate) -> None:
    poison = "Ann\r\nBcc: all@victims.example\n\nPay\u2028at\x85once\x00\u202etxt\v\f\x1c"
    facts = {**poisoned(USUAL[template], poison), **preview_context(template)}
    facts |= {"first_name": poison, "email": poison}
    if template is EmailTemplate.BROADCAST:
        facts["body"] = "Its body may have lines."
    mail = render(template, facts)
    assert mail.subject.isprintable()
    assert len(mail.subject.splitlines()) == 1
    assert not re.search(r"victims\.example\s*\n\s*\n", mail.text)
    assert all(character == "\n" or character.isprintable() for character in mail.text)


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60, deadline=None)
@given(name=st.text(max_size=200))
def test_whatever_a_name_is_the_mail_is_whole(name: str) -> None:
    mail = made(EmailTemplate.WELCOME, first_name=name)
    parse(mail.html)
    friend = made(EmailTemplate.FRIEND_REQUEST, requester_name=name)
    assert friend.subject.endswith(" wants to study with you")
    assert len(friend.subject) < 60
    assert friend.subject.splitlines() == [friend.subject]


@pytest.mark.parametrize(
    "template",
    [
        EmailTemplate.ABANDONMENT_2,
        EmailTemplate.ABANDONMENT_3,
        EmailTemplate.CERTIFICATE,
        EmailTemplate.FRIEND_REQUEST,
        EmailTemplate.MODULE_COMPLETE,
        EmailTemplate.RECEIPT,
        EmailTemplate.SEAT_INVITATION,
    ],
)
def test_long_names_are_cut_in_subjects_only(template: EmailTemplate) -> None:
    name = "Occupational Therapy Practice Framework and Process"
    mail = render(template, {**poisoned(USUAL[template], name), **preview_context(template)})
    assert len(mail.subject) < 60
    assert "…" in mail.subject
    assert name[:40].strip() in " ".join(mail.text.split())


@pytest.mark.parametrize("template", ALL)
def test_a_fact_that_is_missing_stops_the_mail(template: EmailTemplate) -> None:
    for key in USUAL[template].keys() & _needs(template):
        facts = {**without(USUAL[template], key), **preview_context(template)}
        if key in {"lesson_title", "course_slug"} and template.startswith("ABANDONMENT"):
            continue  # one of the three is silent about it
        with pytest.raises(UndefinedError, match=key):
            render(template, facts)


def _needs(template: EmailTemplate) -> frozenset[str]:
    from studypack.notifications.catalogue import CATALOGUE

    return CATALOGUE[template].needs


def test_a_fact_that_is_none_counts_as_not_given() -> None:
    with pytest.raises(UndefinedError, match="amount"):
        made(EmailTemplate.RECEIPT, amount=None)
    assert "Invoice" not in made(EmailTemplate.RECEIPT, number=None).text


def test_a_none_within_a_fact_is_not_printed() -> None:
    with pytest.raises(TypeError, match="None"):
        made(EmailTemplate.ACHIEVEMENT_DIGEST, achievements=[{"title": "A", "description": None}])


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "http://app.example.com/verify-email?token=x",
        "//evil.example/x",
        "/verify-email",
        "https://",
        'https://app.example.com/"onclick="x',
        "https://app.example.com/a b",
    ],
)
def test_links_other_than_https_stop_the_mail(link: str) -> None:
    with pytest.raises(UnsafeLink):
        made(EmailTemplate.VERIFY_EMAIL, link=link)


def test_a_local_stack_may_be_linked_without_tls() -> None:
    mail = made(
        EmailTemplate.VERIFY_EMAIL,
        link="http://127.0.0.1:8000/verify-email?token=x&a=b",
        web_base_url="http://127.0.0.1:8000",
    )
    assert 'href="http://127.0.0.1:8000/verify-email?token=x&amp;a=b"' in mail.html
    assert "  http://127.0.0.1:8000/verify-email?token=x&a=b\n" in mail.text


def test_a_path_that_comes_from_data_cannot_leave_its_page() -> None:
    mail = made(EmailTemplate.CERTIFICATE, code="../../sign-in?next=x#y")
    assert "/certificates/..%2F..%2Fsign-in%3Fnext%3Dx%23y" in mail.html


def test_someone_invited_is_not_greeted_by_the_name_of_who_invites() -> None:
    mail = made(EmailTemplate.SEAT_INVITATION, first_name="Maria")
    assert "Hi Maria" not in mail.text + mail.html


def test_a_reader_without_a_name_is_greeted_all_the_same() -> None:
    assert made(EmailTemplate.WELCOME, first_name=None).text.startswith("Hi there,")


def test_a_name_that_is_an_advertisement_is_no_name() -> None:
    mail = made(EmailTemplate.VERIFY_EMAIL, first_name="You won, see www.evil.example")
    assert mail.text.startswith("Hi there,")
    assert "evil" not in mail.text + mail.html


def test_moments_are_told_where_the_reader_is() -> None:
    facts = {"renews_at": "2026-03-06T23:30:00+00:00"}
    assert made(EmailTemplate.RENEWAL_REMINDER, **facts, timezone="UTC").subject.endswith(
        "on 6 March 2026"
    )
    assert made(
        EmailTemplate.RENEWAL_REMINDER, **facts, timezone="Europe/Stockholm"
    ).subject.endswith("on 7 March 2026")


def test_a_broadcasts_body_is_markdown_in_html_and_words_in_text() -> None:
    mail = made(EmailTemplate.BROADCAST, subject="News", body="**Now** [read](https://a.example/x)")
    assert '<a href="https://a.example/x"' in mail.html
    assert "**" not in mail.html
    assert "Now read (https://a.example/x)" in mail.text


def test_the_context_takes_its_addresses_from_the_settings() -> None:
    business = BusinessSettings(seller_name="Pass AB", password_reset_minutes=90)
    facts = context(
        email="ann@example.com",
        first_name="Ann",
        timezone="UTC",
        occurred_at=datetime(2026, 3, 3, tzinfo=UTC),
        business=business,
    )
    mail = render(EmailTemplate.RESET_PASSWORD, {**facts, "link": "https://app.example.com/x"})
    assert get_settings().web_base_url in mail.html
    assert "The link works for 1 h 30 min and only once." in mail.text
    assert mail.text.endswith("Pass AB\n")


def test_the_same_facts_make_the_same_mail() -> None:
    assert made(EmailTemplate.WEEKLY_DIGEST) == made(EmailTemplate.WEEKLY_DIGEST)
