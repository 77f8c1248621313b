"""Search: what is published alone, best first, and no word of what is locked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studypack.billing.features import Feature
from studypack.courses.content import prepare
from studypack.courses.search import Part, parts_of
from tests.support import bank, holdings
from tests.support.accounts import fields
from tests.support.learning import (
    Material,
    a_course,
    add_lesson,
    add_module,
    nothing_is_free,
    passed,
)
from tests.support.people import Person

LOOMS = (
    "A warp is held tight by the loom. The weft goes over and under it, and a heddle lifts every"
    " second thread so that the shuttle passes through in one go."
)


@pytest.fixture
def course(database_url: str) -> Material:
    """The only course there is; one lesson says `shuttle` in its text alone."""
    bank.execute("UPDATE learning.courses SET published = false")
    made = a_course(title="Weaving for Beginners")
    add_module(made, title="Looms and yarn")
    add_lesson(made, title="Setting up", summary="Before the first row", body_text=LOOMS)
    return made


def search(person: Person, query: str, **given: Any) -> list[dict[str, Any]]:
    answer = person.get("/api/search", params={"q": query, **given})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def titles(person: Person, query: str, **given: Any) -> list[str]:
    return [hit["title"] for hit in search(person, query, **given)]


def test_a_lesson_is_found_by_its_words_and_shown_where_they_stand(
    learner: Person, course: Material
) -> None:
    [hit] = search(learner, "shuttles pass")

    assert (hit["kind"], hit["id"]) == ("LESSON", str(course.lessons[0][0]))
    assert (hit["title"], hit["summary"]) == ("Setting up", "Before the first row")
    assert (hit["course_slug"], hit["course_title"]) == (course.slug, "Weaving for Beginners")
    assert (hit["module_id"], hit["module_title"]) == (str(course.modules[0]), "Looms and yarn")
    assert (hit["lesson_kind"], hit["is_open"]) == ("ARTICLE", True)
    assert [part["text"] for part in hit["snippet"] if part["match"]] == ["shuttle", "passes"]
    assert "".join(part["text"] for part in hit["snippet"]) in LOOMS


def test_courses_and_modules_are_found_by_their_titles(learner: Person, course: Material) -> None:
    [found] = search(learner, "weave beginner")
    assert (found["kind"], found["id"], found["module_id"]) == ("COURSE", str(course.id), None)
    [found] = search(learner, "yarn")
    assert (found["kind"], found["id"]) == ("MODULE", str(course.modules[0]))
    assert found["snippet"] == []


def test_a_title_counts_more_than_a_summary_and_that_more_than_the_text(
    learner: Person, course: Material
) -> None:
    add_lesson(course, slug="t", title="Third", body_text="It names the bobbin.")
    add_lesson(course, slug="s", title="Second", summary="The bobbin", body_text="Words.")
    add_lesson(course, slug="b", title="The bobbin", body_text="Words.")
    add_lesson(course, slug="v", title="Fourth", body_text="x", transcript="I hold the bobbin.")

    found = search(learner, "bobbin")

    assert [hit["title"] for hit in found] == ["The bobbin", "Second", "Third", "Fourth"]
    assert {"text": "bobbin", "match": True} in found[3]["snippet"]


def test_phrases_alternatives_and_exclusions_are_understood(
    learner: Person, course: Material
) -> None:
    assert titles(learner, '"held tight"') == ["Setting up"]
    assert titles(learner, '"tight held"') == []
    assert titles(learner, "shuttle nonsense") == []
    assert titles(learner, "shuttle or nonsense") == ["Setting up"]
    assert titles(learner, "shuttle -heddle") == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE learning.lessons SET published = false WHERE module_id = :m",
        "UPDATE learning.lessons SET deleted_at = now(), position = NULL WHERE module_id = :m",
        "UPDATE learning.modules SET published = false WHERE id = :m",
        "UPDATE learning.modules SET deleted_at = now(), position = NULL WHERE id = :m",
        "UPDATE learning.courses SET published = false WHERE id = :c OR id = CAST(:m AS uuid)",
        "UPDATE learning.courses SET is_active = false WHERE id = :c OR id = CAST(:m AS uuid)",
        "UPDATE learning.courses SET deleted_at = now() WHERE id = :c OR id = CAST(:m AS uuid)",
    ],
)
def test_what_is_not_there_for_learners_is_not_found(
    learner: Person, course: Material, change: str
) -> None:
    values = {"m": course.modules[0], "c": course.id}
    assert titles(learner, "shuttle") == ["Setting up"]

    bank.execute(change, **{name: each for name, each in values.items() if f":{name}" in change})

    assert titles(learner, "shuttle") == []
    if "lessons" not in change:
        assert titles(learner, "yarn") == []
    if "courses" in change:
        assert titles(learner, "weaving") == []


def test_of_a_locked_lesson_nothing_but_title_and_summary_is_shown(
    learner: Person, course: Material
) -> None:
    add_lesson(course, slug="free", title="Free", body_text="A shuttle, too.", is_free=True)
    nothing_is_free()

    found = {hit["title"]: hit for hit in search(learner, "shuttle")}

    assert (found["Setting up"]["is_open"], found["Setting up"]["snippet"]) == (False, [])
    assert found["Setting up"]["summary"] == "Before the first row"
    assert found["Free"]["is_open"] is True
    assert found["Free"]["snippet"] != []


def test_what_was_bought_for_one_course_opens_that_one(learner: Person, course: Material) -> None:
    other = a_course()
    add_module(other)
    add_lesson(other, title="Elsewhere", body_text="Another shuttle.")
    nothing_is_free()
    holdings.purchase(learner.id, holdings.product((Feature.COURSES, {"course_id": course.id})))

    found = {hit["title"]: hit["is_open"] for hit in search(learner, "shuttle")}

    assert found == {"Setting up": True, "Elsewhere": False}


def test_a_module_that_waits_for_its_day_is_locked_until_then(
    learner: Person, course: Material
) -> None:
    add_module(course, slug="later", title="Later", release_after_days=3)
    add_lesson(course, 1, title="Patience", body_text="Patience, with a shuttle.")

    def is_open() -> list[bool]:
        found = search(learner, "patience") + search(learner, "later")
        assert [bool(hit["snippet"]) for hit in found] == [found[0]["is_open"], False]
        return [hit["is_open"] for hit in found]

    assert is_open() == [False, False]
    assert learner.post(f"{course.path}/enrollment").status_code == 201
    assert is_open() == [False, False]
    passed(learner, 3 * 24 * 3600 - 60)
    assert is_open() == [False, False]
    passed(learner, 120)
    assert is_open() == [True, True]


def test_a_search_can_be_held_to_one_course(learner: Person, course: Material) -> None:
    other = a_course()
    add_module(other)
    add_lesson(other, title="Elsewhere", body_text="Another shuttle.")

    assert set(titles(learner, "shuttle")) == {"Setting up", "Elsewhere"}
    assert titles(learner, "shuttle", course=other.slug) == ["Elsewhere"]
    assert titles(learner, "shuttle", course="none") == []


def test_no_more_is_found_than_was_asked_for(learner: Person, course: Material) -> None:
    for number in range(5):
        add_lesson(course, slug=f"n{number}", body_text="A shuttle.")

    assert len(titles(learner, "shuttle", limit=3)) == 3


def test_markup_in_a_text_stays_text(learner: Person, course: Material) -> None:
    markdown = "Write `<script>` and `if a <b or c> d:` **never**"
    prepared = prepare(None, markdown)
    add_lesson(course, content_markdown=markdown, body_text=prepared.body_text)

    for word in ("never", "script", "b"):
        [hit] = search(learner, word)
        assert "".join(part["text"] for part in hit["snippet"]) == (
            "Write <script> and if a <b or c> d: never"
        )
        assert {"text": word, "match": True} in hit["snippet"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "   "}, "q"),
        ({"q": "x" * 201}, "q"),
        ({"q": "x", "limit": 51}, "limit"),
        ({"q": "x", "limit": 0}, "limit"),
    ],
)
def test_a_search_for_nothing_is_refused(learner: Person, given: Any, field: str) -> None:
    answer = learner.get("/api/search", params=given)

    assert answer.status_code == 422
    assert [name for name, _ in fields(answer)] == [field]


@pytest.mark.parametrize(
    "query",
    [
        "the",
        "&|!():*",
        "'",
        '"',
        "-",
        "or",
        "\\",
        "%",
        "<->",
        "zz:*",
        "\u65e5\u672c",
        "\x02",
        "$9 :q9",
    ],
)
@pytest.mark.usefixtures("course")
def test_a_search_for_what_is_no_word_finds_nothing(learner: Person, query: str) -> None:
    assert search(learner, query) == []


@pytest.mark.parametrize("between", ["", " ", "(", ")!", "&|", "<"])
@pytest.mark.usefixtures("course")
def test_any_number_of_minuses_excludes_nothing(learner: Person, between: str) -> None:
    assert titles(learner, f"-{f'{between}-' * 60}shuttle") == ["Setting up"]
    assert titles(learner, f"shuttle {'-' * 60}") == ["Setting up"]


def test_only_who_is_signed_in_searches(api: Any) -> None:
    assert api.get("/api/search?q=x").status_code == 401


def test_a_search_is_one_statement(
    learner: Person, course: Material, statements: Callable[[], list[str]]
) -> None:
    for number in range(20):
        add_lesson(course, slug=f"n{number}", body_text="A shuttle.")
    search(learner, "shuttle")

    statements()
    assert len(search(learner, "shuttle", limit=50)) == 21
    assert len(statements()) == 2, "authentication, and the search"


def test_a_snippet_comes_in_parts_on_one_line() -> None:
    assert list(parts_of("a\n\x02b\x03  c \x03 \x02d")) == [
        Part("a ", match=False),
        Part("b", match=True),
        Part(" c d", match=False),
    ]
    assert list(parts_of("")) == []
