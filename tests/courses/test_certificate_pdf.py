"""Certificates on paper."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studypack.courses.certificate_face import Face
from studypack.courses.certificate_pdf import render
from tests.support.pdf import pages_of, text_of

FACE = Face(
    recipient="Ada Lovelace",
    course="Python Programming",
    issued_on=date(2026, 11, 1),
    code="7Q4M-0ZKX-9TNE-3CVH",
    address="https://app.example.com/certificates/7Q4M-0ZKX-9TNE-3CVH",
)


def test_a_certificate_says_who_completed_what_and_when_on_one_page() -> None:
    [page] = pages_of(render(FACE))

    assert {
        "Certificate of Completion",
        "Ada Lovelace",
        "Python Programming",
        "1 November 2026",
        "7Q4M-0ZKX-9TNE-3CVH",
        f"Verify at {FACE.address}",
    } <= set(page)


def test_equal_certificates_are_equal_bytes() -> None:
    assert render(FACE) == render(FACE)


@pytest.mark.parametrize("name", ["Žofia Ďurišová-Ångström", "Ολυμπία Δημητρίου", "Катерина Їжак"])
def test_a_name_in_letters_of_the_font_is_written_as_it_is(name: str) -> None:
    assert name in text_of(render(replace(FACE, recipient=name)))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王小明", "The holder of this certificate"),
        ("أمينة", "The holder of this certificate"),
        ("Ming 王", "Ming"),
        ("Ada 🎓", "Ada"),
    ],
)
def test_of_a_name_in_other_letters_the_page_is_named_that_has_it(name: str, shown: str) -> None:
    page = text_of(render(replace(FACE, recipient=name))).split("\n")

    assert shown in page
    assert "The name is written in full on the page that verifies this certificate." in page
    assert not any("?" in line for line in page)


def test_a_question_mark_that_was_in_the_name_stays() -> None:
    assert "Who?" in text_of(render(replace(FACE, recipient="Who?")))


def test_a_long_title_takes_two_lines() -> None:
    course = "Occupational Therapy Examination Preparation: Evaluation, Intervention and Practice"

    page = text_of(render(replace(FACE, course=course))).split("\n")

    halves = [line for line in page if (line and course.startswith(line)) or course.endswith(line)]
    assert " ".join(half for half in halves if half) == course


@given(st.text(max_size=400), st.text(max_size=400), st.text(max_size=250))
@settings(max_examples=25, deadline=None)
def test_whatever_name_and_title_it_is_one_page(name: str, title: str, address: str) -> None:
    face = replace(FACE, recipient=name, course=title, address=f"https://{address}")

    assert len(pages_of(render(face))) == 1
