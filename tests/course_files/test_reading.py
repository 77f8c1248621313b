from __future__ import annotations

from typing import Any

import pytest

from studypack.admin.course_files.reading import read_course
from studypack.core.errors import Unprocessable
from tests.support.course_folder import (
    BENDS,
    LOOPS,
    QUIZ,
    course,
    edited,
    lesson,
    question,
    text,
    without,
)

FRONT = f"{LOOPS}: front matter"


def mistakes(tree: dict[str, bytes]) -> dict[str, str]:
    with pytest.raises(Unprocessable) as refusal:
        read_course(tree)
    return {error.field: error.code for error in refusal.value.errors}


def test_a_folder_is_read_in_the_order_of_its_lists() -> None:
    content = read_course(course())
    assert [module.slug for module in content.modules] == ["second", "first"]
    assert [each.slug for each in content.modules[1].lessons] == ["loops", "bends"]
    assert [each.id for each in content.modules[1].quizzes[0].file.questions] == [
        "knot-2",
        "knot-1",
        "knot-3",
    ]
    assert [quiz.slug for quiz in content.quizzes] == ["practice"]
    assert content.published


def test_hidden_files_of_an_editor_are_no_part_of_a_course() -> None:
    tree = {**course(), "modules/first/.DS_Store": b"x"}
    assert mistakes(tree) == {"modules/first/.DS_Store": "unexpected"}, "folders and zips drop them"


@pytest.mark.parametrize(
    ("path", "changes", "field", "code"),
    [
        (LOOPS, {"kind": "FILM"}, f"{FRONT}: kind", "enum"),
        (LOOPS, {"titel": "x"}, f"{FRONT}: titel", "extra_forbidden"),
        (LOOPS, {"title": None}, f"{FRONT}: title", "missing"),
        (LOOPS, {"minutes": 0}, f"{FRONT}: minutes", "greater_than_equal"),
        (LOOPS, {"topic": "cooking"}, f"{FRONT}: topic", "unknown_topic"),
        (
            LOOPS,
            {"assets": [{"file": "no.csv", "title": "x"}]},
            f"{FRONT}: assets.0.file",
            "missing",
        ),
        (
            LOOPS,
            {"assets": [{"file": "../no.csv", "title": "x"}]},
            f"{FRONT}: assets.0.file",
            "string_pattern_mismatch",
        ),
        (BENDS, {"kind": "FILM"}, f"{BENDS}: kind", "enum"),
        (BENDS, {"content": None}, f"{BENDS}: content", "missing"),
        (QUIZ, {"questions": []}, f"{QUIZ}: questions", "too_short"),
        (QUIZ, {"questions": ["knot-1", "knot-9"]}, f"{QUIZ}: questions.1", "unknown_question"),
        (QUIZ, {"questions": ["knot-1", "knot-1"]}, f"{QUIZ}: questions.1", "duplicate"),
        (QUIZ, {"question_count": 4}, f"{QUIZ}: question_count", "too_many"),
        (QUIZ, {"passing_score": 101}, f"{QUIZ}: passing_score", "less_than_equal"),
        (QUIZ, {"negative_marking": 0.333}, f"{QUIZ}: negative_marking", "value_error"),
        (
            "quizzes/practice.quiz.yaml",
            {"topic": None},
            "quizzes/practice.quiz.yaml: topic",
            "missing",
        ),
        (
            "modules/second/module.yaml",
            {"release_after_days": 0},
            "modules/second/module.yaml: release_after_days",
            "greater_than_equal",
        ),
        ("course.yaml", {"difficulty": "HARD"}, "course.yaml: difficulty", "enum"),
        ("course.yaml", {"published": "maybe"}, "course.yaml: published", "bool_parsing"),
    ],
)
def test_a_wrong_field_is_named_by_file_and_field(
    path: str, changes: dict[str, Any], field: str, code: str
) -> None:
    assert mistakes(edited(course(), path, **changes))[field] == code


def test_what_a_list_does_not_name_is_named_by_its_file() -> None:
    tree = edited(course(), "modules/first/module.yaml", lessons=["loops"], quizzes=[])
    assert mistakes(tree) == {BENDS: "not_listed", QUIZ: "not_listed"}
    assert mistakes(edited(course(), "course.yaml", modules=["first"])) == {
        "modules/second/module.yaml": "not_listed"
    }


def test_what_a_list_names_and_is_not_there_is_named_by_its_place() -> None:
    assert mistakes(without(course(), LOOPS, QUIZ, "modules/second/module.yaml")) == {
        "modules/first/module.yaml: lessons.0": "missing",
        "modules/first/module.yaml: quizzes.0": "missing",
        "modules/second/module.yaml": "missing",
    }


def test_slugs_that_stand_twice_are_named() -> None:
    tree = {**course(), "modules/first/loops.json": course()[BENDS]}
    assert mistakes(tree) == {LOOPS: "duplicate"}
    tree = edited(course(), "modules/first/module.yaml", lessons=["loops", "bends", "loops"])
    assert mistakes(tree) == {"modules/first/module.yaml: lessons.2": "duplicate"}
    tree = {**course(), "quizzes/knots-quiz.quiz.yaml": course()["quizzes/practice.quiz.yaml"]}
    assert mistakes(tree) == {"quizzes/knots-quiz.quiz.yaml": "duplicate"}


@pytest.mark.parametrize(
    "path",
    [
        "modules/first/loops.txt",
        "modules/first/assets/deep/table.csv",
        "modules/first/assets/tabelle ü.csv",
        "notes.md",
        "media/Loop.SVG",
        "modules/module.yaml",
    ],
)
def test_a_file_that_no_course_has_is_named(path: str) -> None:
    assert mistakes({**course(), path: b"x"})[path] == "unexpected"


def test_files_that_nothing_shows_are_named() -> None:
    tree = {**course(), "media/other.png": b"x", "modules/first/assets/other.csv": b"x"}
    assert mistakes(tree) == {
        "media/other.png": "unused",
        "modules/first/assets/other.csv": "unused",
    }


@pytest.mark.parametrize(
    ("file", "data", "code"),
    [
        ("table.exe", b"MZ", "not_allowed"),
        ("table.svg", b"<svg/>", "not_allowed"),
        ("table.pdf", b"<script>", "not_its_type"),
        ("table.csv", b"", "empty"),
    ],
)
def test_a_lessons_file_of_the_wrong_type_is_named(file: str, data: bytes, code: str) -> None:
    tree = edited(course(), LOOPS, assets=[{"file": file, "title": "x"}])
    path = f"modules/first/assets/{file}"
    tree = {**without(tree, "modules/first/assets/table.csv"), path: data}
    assert mistakes(tree) == {path: code}


def test_a_picture_that_a_lesson_shows_has_to_be_there() -> None:
    assert mistakes(without(course(), "media/loop.svg")) == {LOOPS: "missing"}


def test_tiptap_that_is_not_allowed_is_named_by_its_path() -> None:
    document = {"type": "doc", "content": [{"type": "script"}]}
    [field] = mistakes(edited(course(), BENDS, content=document))
    assert field == f"{BENDS}: content.content.0.type"


@pytest.mark.parametrize(
    ("path", "data", "field", "code"),
    [
        (LOOPS, b"# No fields", FRONT, "missing"),
        (LOOPS, b"---\ntitle: x\nno end", FRONT, "missing"),
        (LOOPS, b"---\ntitle: [\n---\nText", FRONT, "unreadable"),
        (LOOPS, b"---\ntitle: a\ntitle: b\n---\nText", FRONT, "unreadable"),
        (LOOPS, b"---\n- a\n---\nText", FRONT, "model_type"),
        (LOOPS, b"\xff\xfe", LOOPS, "unreadable"),
        (BENDS, b"{", BENDS, "unreadable"),
        (BENDS, b"[]", BENDS, "not_an_object"),
        (BENDS, b'{"title": NaN}', BENDS, "unreadable"),
        (BENDS, b"[" * 100_000, BENDS, "unreadable"),
        (QUIZ, b"[]", QUIZ, "model_type"),
        (QUIZ, b"a: &a [1]\nb: *a", QUIZ, "unreadable"),
        (QUIZ, b"[" * 1000 + b"]" * 1000, QUIZ, "unreadable"),
        (QUIZ, b'title: "a\\0b"\nquestions: [knot-1]\n', f"{QUIZ}: title", "unstorable"),
        (QUIZ, b"1: x", QUIZ, "unreadable"),
        (QUIZ, b"x: 2026-99-99", QUIZ, "unreadable"),
        (QUIZ, b"!!python/object/apply:os.system [ls]", QUIZ, "unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, data: bytes, field: str, code: str) -> None:
    assert mistakes({**course(), path: data})[field] == code


def test_every_mistake_of_every_file_is_told_at_once() -> None:
    tree = edited(course(), LOOPS, kind="FILM")
    tree = edited(tree, BENDS, title="", minutes=-1)
    tree = edited(tree, QUIZ, passing_score=-1)
    tree = edited(tree, "modules/second/module.yaml", release_after_days=0)
    tree = edited(tree, "course.yaml", extra=1)
    tree["questions/all.yaml"] = text([question(1), {**question(2), "stem": 5}, question(3)])
    assert set(mistakes(tree)) == {
        f"{FRONT}: kind",
        f"{BENDS}: title",
        f"{BENDS}: minutes",
        f"{QUIZ}: passing_score",
        "modules/second/module.yaml: release_after_days",
        "course.yaml: extra",
        "questions/all.yaml: knot-2.stem",
    }


def test_an_empty_module_cannot_be_published() -> None:
    tree = edited(course(), "modules/second/film.md", published=False)
    assert mistakes(tree) == {"modules/second/module.yaml: published": "nothing_to_publish"}
    read_course(edited(tree, "modules/second/module.yaml", published=False))


def test_a_course_without_a_published_module_is_not_published() -> None:
    tree = course()
    for module in ("first", "second"):
        tree = edited(tree, f"modules/{module}/module.yaml", published=False)
    assert not read_course(tree).published
    assert mistakes(edited(tree, "course.yaml", published=True)) == {
        "course.yaml: published": "nothing_to_publish"
    }


def test_an_article_without_text_cannot_be_published() -> None:
    fields = {"title": "Loops", "assets": [{"file": "table.csv", "title": "x"}]}
    tree = {**without(course(), "media/loop.svg"), LOOPS: lesson(fields, "")}
    assert mistakes(tree) == {f"{FRONT}: content": "content_missing"}


def test_line_ends_of_windows_and_a_byte_order_mark_make_no_difference() -> None:
    tree = {
        path: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n")
        if path.endswith((".yaml", ".md"))
        else data
        for path, data in course().items()
    }
    assert read_course(tree) == read_course(course())
