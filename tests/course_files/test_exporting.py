from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.content_files import read_courses
from studypack.admin.course_files import yaml_text
from studypack.admin.course_files.comparing import differences
from studypack.admin.course_files.files import MemoryFiles
from studypack.admin.course_files.reading import read_course
from studypack.admin.course_files.tree import read_folder, write_folder
from studypack.admin.course_files.writing import write_course
from studypack.core.errors import Conflict, NotFound, Unprocessable
from tests.support import bank
from tests.support.course_folder import (
    BENDS,
    LOOPS,
    QUIZ,
    SLUG,
    bring,
    course,
    edited,
    fetch,
    text,
)


def all_types() -> list[dict[str, Any]]:
    """A question of each type, with every field that it may have."""
    return [
        {
            "id": "of-many",
            "type": "MULTI_SELECT",
            "topic": "loops",
            "difficulty": 3,
            "stem": "Which two?\n\n```\na:  b\n```",
            "rationale": "'Quoted': yes",
            "options": [
                {"text": "- a", "correct": True, "feedback": "Good"},
                {"text": "# b", "correct": True},
                {"text": "null"},
            ],
            "select": 2,
        },
        {
            "id": "in-order",
            "type": "ORDERING",
            "topic": "bends",
            "stem": "Order",
            "rationale": "So",
            "steps": ["zebra", "1", "true"],
        },
        {
            "id": "on-picture",
            "type": "HOT_SPOT",
            "topic": "bends",
            "stem": "Where?",
            "rationale": "There",
            "image": {"file": "loop.svg", "alt": "A loop", "width": 20, "height": 10},
            "regions": [
                {"shape": "rect", "x": 0, "y": 0.5, "width": 3, "height": 2},
                {"shape": "circle", "cx": 5, "cy": 5, "r": 1},
                {"shape": "polygon", "points": [[0, 0], [5, 0], [0, 5]]},
            ],
        },
        {
            "id": "in-steps",
            "type": "CLINICAL_SIM",
            "topic": "loops",
            "stem": "A case",
            "rationale": "So",
            "sections": [
                {
                    "title": "First",
                    "prompt": "What now?",
                    "decisions": [
                        {"text": "Tie", "points": 2, "feedback": "Yes"},
                        {"text": "Cut", "points": -1},
                    ],
                },
                {
                    "title": "Then",
                    "prompt": "And?",
                    "decisions": [{"text": "Tie", "points": 1}, {"text": "Wait", "points": 0}],
                },
            ],
        },
    ]


def exams() -> list[dict[str, Any]]:
    common = {
        "duration_minutes": 9,
        "items": 3,
        "topics": [{"topic": "bends", "weight": 1.5}, {"topic": "loops", "weight": 2}],
    }
    return [
        {
            **common,
            "slug": "raw-one",
            "title": "Raw",
            "scoring_mode": "raw",
            "sequence": "by_topic",
            "shuffle_options": False,
            "practice": True,
            "pause_minutes": 3,
            "retake_after_hours": 2,
            "max_attempts": 4,
            "pass_percent": 62.5,
        },
        {
            **common,
            "slug": "scaled-one",
            "title": "Scaled",
            "scoring_mode": "scaled",
            "scaled": {"minimum": 300, "maximum": 600, "pass_score": 450, "pass_theta": -0.25},
        },
    ]


def full() -> dict[str, bytes]:
    """A course that uses everything."""
    from yaml import safe_load

    tree = course()
    questions = [*safe_load(tree["questions/all.yaml"]), *all_types()]
    tree["questions/all.yaml"] = text(questions)
    tree["exams.yaml"] = text(exams())
    tree = edited(tree, "course.yaml", prerequisites=["python-programming"], position=3)
    return edited(tree, QUIZ, attempt_policy="LAST", time_limit_minutes=5, max_attempts=2)


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("make", [course, full])
def test_a_folder_comes_back_as_the_same_course(make: Any) -> None:
    files = MemoryFiles()
    bring(make(), files)
    exported = fetch(files)
    assert differences(read_course(make()), read_course(exported)) == []

    assert bring(dict(exported), files).is_unchanged
    assert fetch(files) == exported, "to the byte"


@pytest.mark.usefixtures("database_url")
def test_an_export_into_an_empty_database_is_the_same_course() -> None:
    files = MemoryFiles()
    bring(full(), files)
    exported = fetch(files)
    bank.execute("DELETE FROM learning.quizzes")
    bank.execute("DELETE FROM learning.questions WHERE source_id !~ '^(py|ot)-'")
    bank.execute("DELETE FROM learning.exam_templates WHERE slug LIKE '%-one'")
    bank.execute("DELETE FROM learning.courses WHERE slug = :slug", slug=SLUG)
    elsewhere = MemoryFiles()
    bring(dict(exported), elsewhere)
    assert fetch(elsewhere) == exported


@pytest.mark.usefixtures("database_url")
def test_the_sample_courses_come_back_without_a_difference() -> None:
    from local.course_files import round_trips

    lines: list[str] = []
    assert round_trips(lines.append) == 0
    assert lines[-1].split() == ["all", "courses", "0", "differences"]
    assert len(lines) == 1 + len(read_courses())


@pytest.mark.usefixtures("database_url")
def test_a_course_that_admins_made_can_be_exported_and_imported_without_a_change() -> None:
    files = MemoryFiles()
    bring(course(), files)
    bank.execute("UPDATE learning.courses SET title = '  Knots ' WHERE slug = :s", s=SLUG)
    bank.execute(
        "UPDATE learning.lessons SET content_markdown = E'\\n\\nText.\\r\\n\\n',"
        " body_text = 'Text.' WHERE slug = 'loops'"
    )
    bank.execute("UPDATE learning.assets SET file_name = 'Übersicht (1).csv'")
    exported = fetch(files)
    assert "modules/first/assets/bersicht--1-.csv" in exported
    assert "name: Übersicht (1).csv" in exported[LOOPS].decode()
    assert bring(dict(exported), files).is_unchanged
    assert fetch(files) == exported


@pytest.mark.usefixtures("database_url")
def test_questions_withdrawn_by_hand_stay_in_the_files_and_withdrawn() -> None:
    files = MemoryFiles()
    bring(course(), files)
    bank.execute("UPDATE learning.questions SET status = 'RETIRED' WHERE source_id = 'knot-2'")
    exported = fetch(files)
    assert b"knot-2" in exported["questions/bends.yaml"]
    report = bring(dict(exported), files)
    assert report.left_retired == 1
    assert report.is_unchanged


@pytest.mark.usefixtures("database_url")
def test_a_course_without_its_files_is_not_exported_in_part() -> None:
    bring(course())
    with pytest.raises(Conflict) as refusal:
        fetch(MemoryFiles())
    assert refusal.value.code == "files_missing"
    assert {error.field for error in refusal.value.errors} == {
        "media/loop.svg",
        "modules/first/assets/table.csv",
    }


@pytest.mark.usefixtures("database_url")
def test_a_course_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        fetch(None, "nothing")


def test_writing_and_reading_again_changes_nothing() -> None:
    content = read_course(full())
    written = write_course(content)
    assert differences(content, read_course(written)) == []
    assert write_course(read_course(written)) == written


def test_the_files_read_like_an_authors() -> None:
    written = write_course(read_course(course()))
    assert (
        written[LOOPS]
        .decode()
        .startswith("---\ntitle: 'Loops: the start'\nsummary: What a loop is\nkind: ARTICLE\n")
    )
    assert "transcript: |-\n  One.\n\n  Two.\n" in written["modules/second/film.md"].decode()
    assert written["questions/bends.yaml"].decode().startswith("- id: knot-2\n  type: SINGLE")
    assert "published: false" in written[BENDS].decode() or '"published": false' in (
        written[BENDS].decode()
    )
    assert b"published" not in written["course.yaml"]


@pytest.mark.parametrize(
    ("path", "changes", "name"),
    [
        ("course.yaml", {"title": "Other"}, "course.yaml: title"),
        ("course.yaml", {"published": False}, "course.yaml: published"),
        (LOOPS, {"free": True}, f"{LOOPS}: free"),
        (QUIZ, {"questions": ["knot-1", "knot-2"]}, f"{QUIZ}: questions"),
        ("modules/first/module.yaml", {"lessons": ["bends", "loops"]}, None),
    ],
)
def test_a_difference_is_found_and_named(
    path: str, changes: dict[str, Any], name: str | None
) -> None:
    found = differences(read_course(course()), read_course(edited(course(), path, **changes)))
    assert found == [name or f"{path}: lessons"]


def test_other_bytes_of_a_file_are_a_difference() -> None:
    other = {**course(), "media/loop.svg": b"<svg/>", "modules/first/assets/table.csv": b"x\n"}
    assert differences(read_course(course()), read_course(other)) == [
        "media/loop.svg",
        "modules/first/assets/table.csv",
    ]


def test_a_folder_holds_the_course_and_nothing_that_is_gone_from_it(tmp_path: Path) -> None:
    folder = tmp_path / "knots"
    tree = course()
    assert write_folder(tree, folder) == len(tree)
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref")
    assert write_folder(tree, folder) == 0
    smaller = {path: data for path, data in tree.items() if "second" not in path}
    assert write_folder(smaller, folder) == 2
    assert read_folder(folder) == smaller
    assert not (folder / "modules" / "second").exists()
    assert (folder / ".git" / "HEAD").is_file()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Unprocessable):
        write_folder(course(), tmp_path)
    assert (tmp_path / "thesis.txt").is_file()


def test_a_link_in_a_folder_is_refused(tmp_path: Path) -> None:
    write_folder(course(), tmp_path / "knots")
    (tmp_path / "knots" / "media" / "passwd.svg").symlink_to("/etc/passwd")
    with pytest.raises(Unprocessable) as refusal:
        read_folder(tmp_path / "knots")
    assert refusal.value.errors[0].code == "link"


TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60
) | st.text("ab \n\t:#-'\"|>%&*!{}[],?\u2028\x85", max_size=60)


@given(
    st.recursive(
        TEXTS | st.booleans() | st.integers(-(10**9), 10**9) | st.none(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text("abcxyz", min_size=1, max_size=5), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_yaml_that_was_written_is_read_as_the_same(data: Any) -> None:
    assert yaml_text.load(yaml_text.dump(data)) == data


@given(TEXTS)
def test_a_lessons_text_comes_back_as_it_was(body: str) -> None:
    tree = course()
    head = tree[LOOPS].decode().split("---\n", 2)[1]
    shown = "![A loop](media/loop.svg)\n\n"
    tree[LOOPS] = f"---\n{head}---\n{shown}{body}\n".encode()
    content = read_course(tree)
    assert differences(content, read_course(write_course(content))) == []


def test_numbers_are_written_plainly() -> None:
    from studypack.admin.course_files.writing import _plain

    values = (Decimal("70.00"), Decimal("62.50"), 30.0, 1.5, (1, 2))
    assert [_plain(value) for value in values] == [70, 62.5, 30, 1.5, [1, 2]]
