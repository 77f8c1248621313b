from __future__ import annotations

import shutil
from collections import Counter
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

from local import seed
from local.content_files import (
    CONTENT,
    COURSES,
    course_folders,
    read_course,
)
from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.types import topic_slugs
from studypack.core.config import get_settings
from studypack.core.errors import Unprocessable
from studypack.exams.blueprint import allocate
from studypack.questions.answers import QuestionType, validate_content
from tests.support import bank

NAMES = [folder.name for folder in course_folders()]


@cache
def course(name: str) -> CourseContent:
    return read_course(COURSES / name)


def test_a_topic_weighed_twice_and_a_scale_upside_down_are_reported(folder: Folder) -> None:
    def upset(exams: list[dict[str, Any]]) -> None:
        exams[0]["topics"][0]["topic"] = exams[0]["topics"][1]["topic"]
        exams[1]["scoring_mode"] = "scaled"
        exams[1]["scaled"] = {"minimum": 100, "maximum": 0, "pass_score": 50}

    folder.change("exams.yaml", upset)
    assert folder.mistakes() == {
        "exams.yaml: python-checkpoint.topics": "duplicate",
        "exams.yaml: python-drill.scaled": "scale",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_question_of_the_sample_content_is_sound(name: str) -> None:
    for question in course(name).questions:
        assert validate_content(question.content(name)) == [], question.id


def test_the_ot_course_has_sixty_questions_and_more_of_all_five_types() -> None:
    types = Counter(question.type for question in course("occupational-therapy").questions)
    assert sum(types.values()) >= 60
    assert set(types) == set(QuestionType)
    special = (QuestionType.HOT_SPOT, QuestionType.ORDERING, QuestionType.CLINICAL_SIM)
    assert sum(types[kind] for kind in special) >= 10
    assert min(types.values()) >= 3


def test_the_python_course_has_thirty_questions_and_more() -> None:
    questions = course("python-programming").questions
    assert len(questions) >= 30
    assert {question.type for question in questions} == set(QuestionType)


@pytest.mark.parametrize("name", NAMES)
def test_the_bank_fills_every_template_of_the_sample_content(name: str) -> None:
    content = course(name)
    available = Counter(question.topic for question in content.questions)
    assert content.exams
    for exam in content.exams:
        wanted = allocate({weight.topic: weight.weight for weight in exam.topics}, exam.items)
        assert {t: n for t, n in wanted.items() if n > available[t]} == {}, exam.slug


@pytest.mark.parametrize("name", NAMES)
def test_a_question_of_several_right_answers_says_how_many_or_that_all_are_to_be_chosen(
    name: str,
) -> None:
    for question in course(name).questions:
        if question.type is QuestionType.MULTI_SELECT:
            assert question.select or "Select all that apply." in question.stem, question.id


@pytest.mark.parametrize("name", NAMES)
def test_every_topic_has_questions_and_the_course_a_disclaimer(name: str) -> None:
    content = course(name)
    assert set(topic_slugs(content.course.topics)) == {q.topic for q in content.questions}
    assert content.course.disclaimer


@pytest.mark.parametrize("name", NAMES)
def test_every_image_has_the_size_that_its_question_states(name: str) -> None:
    used = set()
    for question in course(name).questions:
        if question.image is None:
            continue
        used.add(question.image.file)
        image = COURSES / name / "media" / question.image.file
        root = ET.parse(image).getroot()  # noqa: S314 (the repository's own files)
        assert (root.get("width"), root.get("height")) == (
            str(question.image.width),
            str(question.image.height),
        ), question.id
    assert used == {path.name for path in (COURSES / name / "media").iterdir()}


@pytest.mark.parametrize("name", NAMES)
def test_no_two_questions_ask_the_same(name: str) -> None:
    stems = Counter(question.stem for question in course(name).questions)
    assert [stem for stem, times in stems.items() if times > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_key_does_not_favour_a_place(name: str) -> None:
    places = Counter(
        place
        for question in course(name).questions
        if question.type is QuestionType.SINGLE_BEST
        for place, option in enumerate(question.options)
        if option.correct
    )
    assert max(places.values()) < 0.5 * sum(places.values())


class Folder:
    """A course folder of the test's own, to make mistakes in."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def change(self, file: str, edit: Any) -> None:
        """Edit the parsed content of a file."""
        path = self.path / file
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        edit(data)
        path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")

    def mistakes(self) -> dict[str, str]:
        """Field and code of every mistake that reading it finds."""
        with pytest.raises(Unprocessable) as refusal:
            read_course(self.path)
        return {error.field: error.code for error in refusal.value.errors}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A copy of the Python course."""
    return Folder(
        Path(shutil.copytree(COURSES / "python-programming", tmp_path / "courses" / "a-course"))
    )


BASICS = "questions/python-basics.yaml"
FUNCTIONS = "questions/functions.yaml"
QUIZ = "modules/functions/functions-quiz.quiz.yaml"


def test_a_copy_without_mistakes_reads_like_the_original(folder: Folder) -> None:
    assert read_course(folder.path) == course("python-programming")


def test_every_mistake_is_reported_at_once_by_file_and_item(folder: Folder) -> None:
    def break_basics(questions: list[dict[str, Any]]) -> None:
        questions[0]["difficulty"] = 6
        questions[1]["stemm"] = questions[1].pop("stem")

    def break_functions(questions: list[dict[str, Any]]) -> None:
        questions[0]["topic"] = "cooking"
        questions[1]["rationale"] = " "

    def break_exams(exams: list[dict[str, Any]]) -> None:
        exams[0]["topics"][0]["topic"] = "cooking"
        exams[1]["duration_minutes"] = 0

    names = [q.id for q in read_course(folder.path).questions]
    basics = [name for name in names if name.startswith("py-bas")]
    functions = [name for name in names if name.startswith("py-fun")]
    folder.change(BASICS, break_basics)
    folder.change(FUNCTIONS, break_functions)
    folder.change("exams.yaml", break_exams)
    assert folder.mistakes() == {
        f"questions/python-basics.yaml: {basics[0]}.difficulty": "less_than_equal",
        f"questions/python-basics.yaml: {basics[1]}.stem": "missing",
        f"questions/python-basics.yaml: {basics[1]}.stemm": "extra_forbidden",
        f"questions/functions.yaml: {functions[0]}.topic": "unknown_topic",
        f"questions/functions.yaml: {functions[1]}.rationale": "unsound",
        "exams.yaml: python-checkpoint.topics": "unknown_topic",
        "exams.yaml: python-drill.duration_minutes": "greater_than_equal",
    }


def test_an_id_used_twice_is_reported_across_files(folder: Folder) -> None:
    first = read_course(folder.path).questions[-1].id
    folder.change(FUNCTIONS, lambda questions: questions[0].update(id=first))
    assert folder.mistakes() == {f"questions/python-basics.yaml: {first}": "duplicate"}


def test_a_topic_used_twice_is_reported(folder: Folder) -> None:
    folder.change("course.yaml", lambda data: data["topics"].append(dict(data["topics"][0])))
    assert folder.mistakes() == {"course.yaml: python-basics": "duplicate"}


def test_an_image_that_is_not_there_is_reported(folder: Folder) -> None:
    question = next(q for q in read_course(folder.path).questions if q.image)
    assert question.image
    (folder.path / "media" / question.image.file).unlink()
    (mistake,) = folder.mistakes().items()
    assert mistake[0].endswith(f".yaml: {question.id}.image.file")
    assert mistake[1] == "missing"


def test_a_raw_exam_with_a_scale_and_a_scaled_one_without_are_reported(folder: Folder) -> None:
    def swap(exams: list[dict[str, Any]]) -> None:
        exams[0]["scaled"] = {"minimum": 0, "maximum": 100, "pass_score": 50}
        exams[1]["scoring_mode"] = "scaled"

    folder.change("exams.yaml", swap)
    assert folder.mistakes() == {
        "exams.yaml: python-checkpoint.scaled": "scale",
        "exams.yaml: python-drill.scaled": "scale",
    }


@pytest.mark.parametrize(
    ("file", "text", "field", "code"),
    [
        (BASICS, "- id: [", "questions/python-basics.yaml", "unreadable"),
        (BASICS, "id: one", "questions/python-basics.yaml", "not_a_list"),
        (BASICS, "- just text", "questions/python-basics.yaml: [0]", "model_type"),
        (BASICS, "- \n- \n", "questions/python-basics.yaml: [1]", "empty"),
        (BASICS, "-\n- {}", "questions/python-basics.yaml: [1].stem", "missing"),
        ("course.yaml", "", "course.yaml", "model_type"),
        ("exams.yaml", "a: b", "exams.yaml", "not_a_list"),
        ("course.yaml", "slug: [", "course.yaml", "unreadable"),
    ],
)
def test_a_file_that_holds_something_else_is_reported(
    folder: Folder, file: str, text: str, field: str, code: str
) -> None:
    (folder.path / file).write_text(text, encoding="utf-8")
    assert folder.mistakes()[field] == code


def test_a_course_without_its_file_is_no_course(folder: Folder) -> None:
    assert course_folders(folder.path.parent) == [folder.path]
    (folder.path / "course.yaml").unlink()
    assert course_folders(folder.path.parent) == []
    assert folder.mistakes() == {"course.yaml": "missing"}


def write_exam(folder: Folder, **values: Any) -> None:
    exam = {
        "slug": "x",
        "title": "X",
        "duration_minutes": 10,
        "scoring_mode": "raw",
        "items": 2,
        "topics": [{"topic": "functions", "weight": 1}],
    }
    folder.change("exams.yaml", lambda exams: exams.append({**exam, **values}))


def test_an_exam_that_the_bank_cannot_fill_is_reported_by_topic(folder: Folder) -> None:
    shelf = Counter(question.topic for question in read_course(folder.path).questions)
    topics = [{"topic": "functions", "weight": 1}, {"topic": "python-basics", "weight": 1}]
    write_exam(folder, items=2 * shelf["functions"] + 2, topics=topics)
    more = dict.fromkeys(("functions", "python-basics"), shelf["functions"] + 1)
    with pytest.raises(Unprocessable) as refusal:
        read_course(folder.path)
    short = {t: n for t, n in more.items() if n > shelf[t]}
    assert "functions" in short
    assert {error.field: error.message for error in refusal.value.errors} == {
        f"exams.yaml: x.topics.{topic}": f"{wanted} questions are wanted, {shelf[topic]} are there,"
        f" {wanted - shelf[topic]} are missing."
        for topic, wanted in short.items()
    }


def test_a_topics_parts_count_for_it_unless_the_exam_names_them(folder: Folder) -> None:
    shelf = Counter(question.topic for question in read_course(folder.path).questions)

    def nest(data: dict[str, Any]) -> None:
        topics = {topic["slug"]: topic for topic in data["topics"]}
        topics["functions"]["topics"] = [topics["control-flow"]]
        data["topics"] = [t for t in data["topics"] if t["slug"] != "control-flow"]

    folder.change("course.yaml", nest)
    both = shelf["functions"] + shelf["control-flow"]
    write_exam(folder, items=both)
    read_course(folder.path)
    write_exam(
        folder,
        slug="y",
        items=both + 2,
        topics=[
            {"topic": "functions", "weight": shelf["functions"] + 1},
            {"topic": "control-flow", "weight": shelf["control-flow"] + 1},
        ],
    )
    assert folder.mistakes() == {
        "exams.yaml: y.topics.functions": "bank_too_small",
        "exams.yaml: y.topics.control-flow": "bank_too_small",
    }


def test_a_mistake_in_the_bank_is_not_told_again_as_an_exam_that_lacks_questions(
    folder: Folder,
) -> None:
    shelf = Counter(question.topic for question in read_course(folder.path).questions)
    write_exam(folder, items=shelf["functions"])
    folder.change(FUNCTIONS, lambda questions: questions[0].pop("stem"))
    assert list(folder.mistakes().values()) == ["missing"]


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"topics": []}, ".topics", "too_short"),
        (
            {"topics": [{"topic": "functions", "weight": 1e7}]},
            ".topics.0.weight",
            "less_than_equal",
        ),
        (
            {"topics": [{"topic": "functions", "weight": float("inf")}]},
            ".topics.0.weight",
            "finite_number",
        ),
        ({"pause_minutes": 32_768}, ".pause_minutes", "less_than_equal"),
        ({"retake_after_hours": 32_768}, ".retake_after_hours", "less_than_equal"),
        ({"max_attempts": 32_768}, ".max_attempts", "less_than_equal"),
        (
            {"scaled": {"minimum": -40_000, "maximum": 40_000, "pass_score": 0}},
            ".scaled.minimum",
            "greater_than_equal",
        ),
        (
            {"scaled": {"minimum": 0, "maximum": 9, "pass_score": 5, "pass_theta": 100}},
            ".scaled.pass_theta",
            "less_than",
        ),
    ],
)
def test_what_the_schema_cannot_hold_is_reported(
    folder: Folder, values: dict[str, Any], field: str, code: str
) -> None:
    write_exam(folder, **values)
    assert folder.mistakes()[f"exams.yaml: x{field}"] == code


def test_what_the_bank_cannot_hold_is_reported_like_any_mistake(folder: Folder) -> None:
    question = next(q for q in read_course(folder.path).questions if q.image)

    def flatten(questions: list[dict[str, Any]]) -> None:
        for each in questions:
            if each["id"] == question.id:
                each["image"]["width"] = 0

    for path in (folder.path / "questions").iterdir():
        folder.change(f"questions/{path.name}", flatten)
    (mistake,) = folder.mistakes().items()
    assert mistake[0].endswith(f".yaml: {question.id}.width")
    assert mistake[1] == "greater_than"


def test_an_exam_that_is_there_twice_is_reported(folder: Folder) -> None:
    folder.change("exams.yaml", lambda exams: exams.append(deepcopy(exams[0])))
    assert folder.mistakes() == {"exams.yaml: python-checkpoint": "duplicate"}


SEEDED = [
    "auth.users",
    "auth.user_profiles",
    "auth.accommodations",
    "auth.timezone_history",
    "auth.settings",
    "learning.courses",
    "learning.topics",
    "learning.modules",
    "learning.lessons",
    "learning.quizzes",
    "learning.quiz_questions",
    "learning.module_items",
    "learning.questions",
    "learning.question_options",
    "learning.question_versions",
    "learning.exam_templates",
]


def everything() -> dict[str, list[Any]]:
    return {
        table: sorted(
            (row[0] for row in bank.rows(f"SELECT to_jsonb(t) - 'updated_at' FROM {table} t")),
            key=str,
        )
        for table in SEEDED
    }


@pytest.mark.usefixtures("database_url")
def test_seeding_again_changes_nothing() -> None:
    before = everything()
    assert all(before.values())
    lines: list[str] = []
    seed.seed(lines.append)
    assert everything() == before
    assert lines == [
        "accounts: 0 created",
        "occupational-therapy: 0 questions created, 0 changed, 114 unchanged",
        "python-programming: 0 questions created, 0 changed, 43 unchanged",
        "2 files of lessons are left out: there is no bucket here",
        "price list: 0 products created",
    ]


@pytest.mark.usefixtures("database_url")
def test_seeding_a_course_with_a_mistake_writes_nothing_of_it(
    folder: Folder, tmp_path: Path
) -> None:
    for name in ("accounts.yaml", "settings.yaml"):
        shutil.copy(CONTENT / name, tmp_path / name)
    folder.change("course.yaml", lambda data: data.update(slug="new", title="New"))
    folder.change(FUNCTIONS, lambda questions: questions[0].update(topic="cooking"))
    with pytest.raises(Unprocessable):
        seed.seed(root=tmp_path)
    assert bank.rows("SELECT 1 FROM learning.courses WHERE slug = 'new'") == []


@pytest.mark.usefixtures("database_url")
def test_an_edited_question_is_changed_by_the_next_seed(folder: Folder, tmp_path: Path) -> None:
    for name in ("accounts.yaml", "settings.yaml"):
        shutil.copy(CONTENT / name, tmp_path / name)
    folder.change(FUNCTIONS, lambda questions: questions[0].update(stem="Changed?"))
    lines: list[str] = []
    seed.seed(lines.append, root=tmp_path)
    assert "a-course: 0 questions created, 1 changed, 42 unchanged" in lines
    assert bank.value("SELECT count(*) FROM learning.courses") == 2


@pytest.fixture
def library(folder: Folder, tmp_path: Path) -> Folder:
    """The Python course's copy in a content folder of its own, to seed from."""
    for name in ("accounts.yaml", "settings.yaml"):
        shutil.copy(CONTENT / name, tmp_path / name)
    return folder


def seeded(library: Folder) -> str:
    """The line that a seed from there says of the course."""
    lines: list[str] = []
    seed.seed(lines.append, root=library.path.parent.parent)
    [line] = [line for line in lines if line.startswith("a-course: ")]
    return line


@pytest.mark.usefixtures("database_url")
def test_two_folders_that_use_one_name_write_nothing(library: Folder, tmp_path: Path) -> None:
    shutil.copytree(library.path, tmp_path / "courses" / "b-course")
    Folder(tmp_path / "courses" / "b-course").change(
        "course.yaml", lambda data: data.update(slug="b")
    )
    library.change(FUNCTIONS, lambda questions: questions[0].update(stem="Changed?"))
    before = everything()
    with pytest.raises(Unprocessable) as refusal:
        seed.seed(root=tmp_path)
    fields = {error.field for error in refusal.value.errors}
    assert {"b-course: python-drill", "b-course: py-func-008"} <= fields
    assert {error.code for error in refusal.value.errors} == {"duplicate"}
    assert len(fields) == 1 + 43 + 2, "title, questions, exams"
    assert everything() == before


@pytest.mark.usefixtures("database_url")
@pytest.mark.parametrize("emptied", [True, False])
def test_a_new_course_takes_neither_questions_nor_exams_of_another(
    library: Folder, emptied: bool
) -> None:
    library.change("course.yaml", lambda data: data.update(slug="new", title="New"))
    if emptied:
        for path in (library.path / "questions").iterdir():
            library.change(f"questions/{path.name}", rename_all)
        for path in library.path.rglob("*.quiz.yaml"):
            name = path.relative_to(library.path).as_posix()
            library.change(name, lambda quiz: quiz.update(questions=renamed(quiz["questions"])))
    before = everything()
    with pytest.raises(Unprocessable) as refusal:
        seeded(library)
    assert {error.code for error in refusal.value.errors} == {"another_course"}
    fields = {error.field for error in refusal.value.errors}
    assert "exams.yaml: python-checkpoint" in fields
    assert ("questions: py-func-001" in fields) is not emptied
    assert everything() == before


def renamed(ids: list[str]) -> list[str]:
    return [f"new-{each}" for each in ids]


def rename_all(questions: list[dict[str, Any]]) -> None:
    for question in questions:
        question["id"] = f"new-{question['id']}"


@pytest.mark.usefixtures("database_url")
def test_what_an_author_removes_is_retired_and_comes_back_with_the_files(library: Folder) -> None:
    before = everything()
    questions = library.path / FUNCTIONS
    exams = library.path / "exams.yaml"
    quiz = library.path / QUIZ
    texts = [path.read_text(encoding="utf-8") for path in (questions, exams, quiz)]
    library.change(FUNCTIONS, lambda all_of_them: all_of_them.pop(0))
    library.change(QUIZ, lambda quiz: quiz["questions"].pop(0))
    library.change("exams.yaml", lambda all_of_them: all_of_them.pop())
    assert seeded(library) == (
        "a-course: 0 questions created, 0 changed, 42 unchanged, 1 retired, 1 exams removed,"
        " 1 quizzes changed"
    )
    offered = "SELECT slug FROM learning.exam_templates WHERE is_active AND deleted_at IS NULL"
    assert "python-drill" not in {row.slug for row in bank.rows(offered)}
    assert "ot-diagnostic" in {row.slug for row in bank.rows(offered)}
    assert bank.value("SELECT count(*) FROM learning.questions WHERE status = 'RETIRED'") == 1
    assert seeded(library) == "a-course: 0 questions created, 0 changed, 42 unchanged"

    questions.write_text(texts[0], encoding="utf-8")
    exams.write_text(texts[1], encoding="utf-8")
    quiz.write_text(texts[2], encoding="utf-8")
    assert seeded(library) == (
        "a-course: 0 questions created, 0 changed, 43 unchanged, 1 active again,"
        " 1 quizzes changed, 1 exams created"
    )
    assert everything() == before


@pytest.mark.usefixtures("database_url")
def test_what_was_switched_off_by_hand_stays_off_and_is_told(library: Folder) -> None:
    bank.execute("UPDATE learning.questions SET status = 'RETIRED' WHERE source_id LIKE 'py-fun%'")
    bank.execute("UPDATE learning.exam_templates SET is_active = false WHERE slug = 'python-drill'")
    before = everything()
    functions = bank.value("SELECT count(*) FROM learning.questions WHERE status = 'RETIRED'")
    assert functions > 1
    assert seeded(library) == (
        "a-course: 0 questions created, 0 changed, 43 unchanged,"
        f" {functions} withdrawn by hand and left so, 1 exams inactive and left so"
    )
    assert everything() == before


@pytest.mark.usefixtures("database_url")
def test_a_setting_changed_since_survives_the_next_seed(library: Folder) -> None:
    bank.execute(
        """UPDATE auth.settings SET value = '["exams"]' WHERE key = 'free_plan_features'"""
    )
    bank.execute("DELETE FROM auth.settings WHERE key = 'totp_required_roles'")
    seeded(library)
    settings = {row.key: row.value for row in bank.rows("SELECT key, value FROM auth.settings")}
    assert settings == {"free_plan_features": ["exams"], "totp_required_roles": []}


def test_demo_accounts_stay_out_of_a_real_stage(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank.execute("DELETE FROM auth.users")
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.setenv("WEB_BASE_URL", "https://app.example.com")
    get_settings.cache_clear()
    seed.seed()
    assert bank.value("SELECT count(*) FROM auth.users") == 0
