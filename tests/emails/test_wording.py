from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.emails import wording
from studypack.emails.wording import WIDTH, UnsafeLink

AFTERNOON = datetime(2026, 3, 3, 13, 5, tzinfo=UTC)


@given(st.text())
def test_cleaned_text_is_one_printable_line(text: str) -> None:
    cleaned = wording.cleaned(text)
    assert len(cleaned.splitlines()) <= 1
    assert cleaned == cleaned.strip()
    assert all(ord(character) >= 32 for character in cleaned)
    assert wording.cleaned(cleaned) == cleaned


def test_nested_texts_are_cleaned_and_the_rest_left() -> None:
    facts = {"list": [{"title": "a\nb"}], "n": 3, "at": AFTERNOON, "no": None, "pair": ("c\td",)}
    assert wording.cleaned(facts) == {
        "list": [{"title": "a b"}],
        "n": 3,
        "at": AFTERNOON,
        "no": None,
        "pair": ["c d"],
    }


def test_a_body_keeps_its_lines_and_loses_what_is_unprintable() -> None:
    assert wording.cleaned({"body": "a\r\n\nb\x00c"}) == {"body": "a\n\nb c"}


def test_scripts_and_emoji_that_need_joiners_keep_them() -> None:
    assert wording.cleaned("क्\u200dष 👩\u200d🔬") == "क्\u200dष 👩\u200d🔬"


@pytest.mark.parametrize("name", ["Ann", "J.R. Ward", "Zoë O'Neil-Śmiałek", "李小龍", "María José"])
def test_names_are_names(name: str) -> None:
    assert wording.person(name, "there") == name


@pytest.mark.parametrize(
    "name",
    [None, "", "  ", "123", "evil.example", "see www.evil", "a@b", "x/y", "https://x", "<b>Ann"],
)
def test_what_is_no_name_is_left_out(name: str | None) -> None:
    assert wording.person(name, "there") == "there"


def test_a_long_name_is_cut() -> None:
    assert wording.person("A" * 41, "there") == "A" * 39 + "…"
    assert wording.person("A" * 40, "there") == "A" * 40


def test_moments_days_and_weekdays() -> None:
    assert wording.moment(AFTERNOON, "Europe/Stockholm") == "3 March 2026 at 14:05 (CET)"
    assert wording.moment(AFTERNOON.isoformat(), "America/New_York") == (
        "3 March 2026 at 08:05 (EST)"
    )
    assert wording.moment(AFTERNOON, "America/Sao_Paulo") == "3 March 2026 at 10:05 (UTC-0300)"
    assert wording.weekday(AFTERNOON, "Pacific/Auckland") == "Wednesday, 4 March 2026"
    assert wording.day("2026-03-03", "Pacific/Auckland") == "3 March 2026"
    assert wording.day(date(2026, 12, 31), "UTC") == "31 December 2026"


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "UTC\n"])
def test_an_unknown_zone_counts_as_utc(zone: str) -> None:
    assert wording.moment(AFTERNOON, zone) == "3 March 2026 at 13:05 (UTC)"


def test_a_moment_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        wording.day("2026-03-03T13:05:00", "UTC")
    with pytest.raises(TypeError):
        wording.moment("2026-03-03", "UTC")


@pytest.mark.parametrize(
    ("minutes", "written"),
    [(0, "0 minutes"), (1, "1 minute"), (59, "59 minutes"), (60, "1 hour"), (125, "2 h 5 min")],
)
def test_lengths_of_time(minutes: int, written: str) -> None:
    assert wording.hours(minutes) == written


def test_counts_have_their_plural() -> None:
    assert [wording.counted(n, "day") for n in (0, 1, 1250)] == ["0 days", "1 day", "1,250 days"]


def test_facts_stand_below_each_other() -> None:
    assert wording.aligned([("Plan", "Pro"), ("Renews on", "Friday")]) == (
        "  Plan:      Pro\n  Renews on: Friday"
    )


@pytest.mark.parametrize("url", ["https://a.example/x?y=z#w", "http://localhost:3000/x"])
def test_safe_links_stay_as_they_are(url: str) -> None:
    assert wording.safe_url(url) == url


@pytest.mark.parametrize("url", ["", "mailto:a@b.example", "http://127.0.0.1.evil.example/", "x"])
def test_unsafe_links_are_refused(url: str) -> None:
    with pytest.raises(UnsafeLink):
        wording.safe_url(url)


def test_paragraphs_are_filled_and_indented_lines_left() -> None:
    text = "one\ntwo " + "word " * 30 + "\n\n\n  " + "x" * 90 + "\n- a\n- " + "item " * 20
    first, second = wording.wrapped(text).split("\n\n")
    assert first.startswith("one two word")
    lines = second.splitlines()
    assert lines[0] == "  " + "x" * 90
    assert lines[1] == "- a"
    assert lines[3].startswith("  item")


def test_the_line_after_an_indented_one_is_a_paragraph_of_its_own() -> None:
    assert wording.wrapped("See:\n  https://a.example/\nor not") == (
        "See:\n  https://a.example/\nor not\n"
    )


@given(st.lists(st.text(alphabet="ab -", min_size=1), max_size=30))
def test_wrapping_loses_no_word_and_keeps_the_width(parts: list[str]) -> None:
    text = "\n".join(parts)
    wrapped = wording.wrapped(text)
    assert wrapped.split() == text.split()
    for line in wrapped.splitlines():
        assert len(line) <= WIDTH or line.startswith(" ") or " " not in line.strip(" -")
