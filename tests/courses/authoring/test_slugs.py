from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN, free_slug, slug_of


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Python Basics", "python-basics"),
        ("  Ein Überblick: Straße & Größe ", "ein-uberblick-strasse-and-grosse"),
        ("Łódź, Ærø, Œuvre, İstanbul, \u0131rmak", "lodz-aero-oeuvre-istanbul-irmak"),
        ("C++", "c-plus-plus"),
        ("C#", "c-sharp"),
        ("Don't repeat", "dont-repeat"),
        ("½ ﬁn №", "1-2-fin-no"),
        ("日本語", "course"),
        ("!!!", "course"),
    ],
)
def test_a_slug_is_what_of_the_title_can_be_spelt(title: str, slug: str) -> None:
    assert slug_of(title, otherwise="course") == slug


@given(st.text(max_size=300))
def test_a_slug_of_any_title_fits(title: str) -> None:
    slug = slug_of(title, otherwise="thing")

    assert re.fullmatch(SLUG_PATTERN, slug)
    assert len(slug) <= MAX_SLUG
    assert slug_of(slug, otherwise="thing") == slug


@given(st.text("ab-", min_size=1, max_size=100), st.integers(0, 12))
def test_a_taken_slug_gets_the_lowest_free_number(title: str, already: int) -> None:
    wanted = slug_of(title, otherwise="thing")
    taken: list[str] = []
    for _ in range(already):
        taken.append(free_slug(wanted, taken))

    slug = free_slug(wanted, taken)

    assert slug not in taken
    assert re.fullmatch(SLUG_PATTERN, slug)
    assert len(slug) <= MAX_SLUG
    assert slug == wanted if not already else slug.endswith(f"-{already + 1}")
