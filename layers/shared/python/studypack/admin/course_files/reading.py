"""A course's files, read and checked as a whole: every mistake is found in one go and named by
file and field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from studypack.admin.course_files import checks, lesson_checks
from studypack.admin.course_files.content import (
    CourseContent,
    LessonContent,
    ModuleContent,
    QuizContent,
)
from studypack.admin.course_files.lesson_types import FILE_NAME, LessonFile, ModuleFile, QuizFile
from studypack.admin.course_files.parsing import Parser
from studypack.admin.course_files.tree import Tree
from studypack.admin.course_files.types import CourseFile, ExamFile, QuestionFile
from studypack.core.errors import FieldError, Unprocessable
from studypack.courses import content as lesson_content
from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN

_QUIZ: Final = ".quiz.yaml"
_LESSON: Final = (".md", ".json")
_MEDIA_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9._-]*$")
_SLUG: Final = re.compile(SLUG_PATTERN)


def read_course(tree: Tree, *, name: str = "course") -> CourseContent:
    """The course that the files are; `name` is the folder's, for the message.

    Raises Unprocessable with every mistake: `field` is `<file>: <field>`, in the files that are
    lists `<file>: <item>.<field>`.
    """
    parser = Parser(tree)
    course = parser.one(CourseFile, "course.yaml")
    questions = [
        (path, question)
        for path in sorted(tree)
        if re.fullmatch(r"questions/[^/]+\.yaml", path)
        for question in parser.many(QuestionFile, path)
    ]
    if course is not None:
        parser.errors += checks.question_checks(tree, course, questions)
    bank_is_whole = not parser.errors
    exams = parser.many(ExamFile, "exams.yaml")
    if course is not None:
        parser.errors += checks.exam_checks(course, exams)
        if bank_is_whole and not parser.errors:  # else a mistake would be told a second time
            bank = [question for _, question in questions]
            parser.errors += checks.bank_checks(course, bank, exams)
    modules = _modules(parser, course)
    quizzes = _quizzes(parser, "quizzes", sorted(_slugs(tree, "quizzes", [_QUIZ])))
    _refuse_unexpected(parser)
    if course is None:
        raise _refusal(name, parser.errors)
    content = CourseContent(
        course=course,
        modules=modules,
        quizzes=quizzes,
        questions=tuple(question for _, question in questions),
        exams=tuple(exams),
        media=_below(tree, "media/"),
    )
    if not parser.errors:  # what is missing because it could not be read would be told again
        parser.errors += lesson_checks.module_checks(content)
        shown = lesson_checks.shown_in_lessons(content)
        parser.errors += lesson_checks.media_checks(content, shown)
    if parser.errors:
        raise _refusal(name, parser.errors)
    return content


def _refusal(name: str, errors: Iterable[FieldError]) -> Unprocessable:
    return Unprocessable(f"{name}: the course's files have mistakes.", errors=list(errors))


def _modules(parser: Parser, course: CourseFile | None) -> tuple[ModuleContent, ...]:
    there = {path.split("/")[1] for path in parser.tree if re.match(r"modules/[^/]+/", path)}
    wanted = list(there) if course is None else list(course.modules)
    _compare_lists(parser, "course.yaml: modules", wanted, sorted(there), "modules/{}/module.yaml")
    made = []
    for slug in dict.fromkeys([*wanted, *sorted(there)]):
        if slug in there and _is_slug(parser, f"modules/{slug}", slug):
            module = _module(parser, slug)
            if module is not None:
                made.append(module)
    return tuple(made)


def _module(parser: Parser, slug: str) -> ModuleContent | None:
    folder = f"modules/{slug}"
    file = parser.one(ModuleFile, f"{folder}/module.yaml")
    lessons = _slugs(parser.tree, folder, _LESSON)
    quizzes = _slugs(parser.tree, folder, [_QUIZ])
    for files in lessons.values():
        if len(files) > 1:
            parser.refuse(files[1], "duplicate", f"{files[0]} has the slug too.")
    for lesson in lessons.keys() & quizzes.keys():
        parser.refuse(quizzes[lesson][0], "duplicate", f"{lessons[lesson][0]} has the slug too.")
    if file is not None:
        where = f"{folder}/module.yaml"
        _compare_lists(
            parser, f"{where}: lessons", file.lessons, lessons, f"{folder}/{{}}.md", lessons
        )
        _compare_lists(parser, f"{where}: quizzes", file.quizzes, quizzes, f"{folder}/{{}}{_QUIZ}")
    order = list(lessons) if file is None else [each for each in file.lessons if each in lessons]
    read = [
        _lesson(parser, each, lessons[each][0])
        for each in dict.fromkeys([*order, *lessons])
        if _is_slug(parser, lessons[each][0], each)
    ]
    quiz_order = [] if file is None else [each for each in file.quizzes if each in quizzes]
    found = _quizzes(parser, folder, list(dict.fromkeys([*quiz_order, *quizzes])))
    if file is None:
        return None
    assets = _below(parser.tree, f"{folder}/assets/")
    return ModuleContent(slug, file, tuple(each for each in read if each), found, assets)


def _lesson(parser: Parser, slug: str, path: str) -> LessonContent | None:
    if path.endswith(".md"):
        parts = parser.front_matter(path)
        if parts is None:
            return None
        data, body = parts
        file = parser.entry(LessonFile, f"{path}: front matter", data)
        document, markdown = None, body
    else:
        fields = parser.json(path)
        if fields is None:
            return None
        document, markdown = fields.pop("content", None), None
        file = parser.entry(LessonFile, path, fields)
        if not isinstance(document, dict):
            parser.refuse(f"{path}: content", "missing", "A TipTap document must be there.")
            return None
    try:
        prepared = lesson_content.prepare(document, markdown)
    except Unprocessable as error:
        for each in error.errors:
            field = each.field.replace("content_markdown", "text")
            parser.refuse(f"{path}: {field}", each.code, each.message)
        return None
    if file is None:
        return None
    return LessonContent(
        slug, file, prepared.content, prepared.content_markdown, prepared.body_text
    )


def _quizzes(parser: Parser, folder: str, slugs: Iterable[str]) -> tuple[QuizContent, ...]:
    made = []
    for slug in slugs:
        path = f"{folder}/{slug}{_QUIZ}"
        file = parser.one(QuizFile, path)
        if file is not None and _is_slug(parser, path, slug):
            made.append(QuizContent(slug, file))
    return tuple(made)


def _slugs(tree: Tree, folder: str, suffixes: Iterable[str]) -> dict[str, list[str]]:
    """The names of files directly in a folder without their suffixes, with their paths."""
    found: dict[str, list[str]] = {}
    for path in sorted(tree):
        parent, _, name = path.rpartition("/")
        for suffix in suffixes:
            if parent == folder and name.endswith(suffix) and len(name) > len(suffix):
                found.setdefault(name.removesuffix(suffix), []).append(path)
    return found


def _compare_lists(
    parser: Parser,
    field: str,
    named: Iterable[str],
    there: Iterable[str],
    path: str,
    paths: Mapping[str, list[str]] | None = None,
) -> None:
    """A list of slugs names each file there is, once, and no other."""
    names = list(named)
    for index, name in enumerate(names):
        if name in names[:index]:
            parser.refuse(f"{field}.{index}", "duplicate", f"{name} is there twice.")
        elif name not in there:
            parser.refuse(f"{field}.{index}", "missing", f"{path.format(name)} is not there.")
    for name in there:
        if name not in names:
            file = paths[name][0] if paths else path.format(name)
            parser.refuse(file, "not_listed", f"{field} does not name it.")


def _is_slug(parser: Parser, path: str, slug: str) -> bool:
    if _SLUG.match(slug) and len(slug) <= MAX_SLUG:
        return True
    parser.refuse(path, "slug", "A name has small letters and digits, joined by hyphens.")
    return False


def _below(tree: Tree, folder: str) -> dict[str, bytes]:
    return {
        path.removeprefix(folder): data
        for path, data in sorted(tree.items())
        if path.startswith(folder) and "/" not in path.removeprefix(folder)
    }


_EXPECTED: Final = re.compile(
    r"course\.yaml|exams\.yaml|questions/[^/]+\.yaml|quizzes/[^/]+\.quiz\.yaml"
    r"|modules/[^/]+/(module\.yaml|[^/]+\.quiz\.yaml|[^/]+\.(md|json))"
)


def _refuse_unexpected(parser: Parser) -> None:
    for path in sorted(parser.tree):
        if _EXPECTED.fullmatch(path):
            continue
        parts = path.split("/")
        if len(parts) == 2 and parts[0] == "media":
            fits = bool(_MEDIA_NAME.match(parts[1]))
        else:
            in_assets = len(parts) == 4 and (parts[0], parts[2]) == ("modules", "assets")
            fits = in_assets and bool(re.match(FILE_NAME, parts[3]))
        if not fits:
            parser.refuse(path, "unexpected", "A course has no such file.")
