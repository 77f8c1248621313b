"""The sample content's folders: where they are, and the courses among them, read and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.reading import read_course as read_tree
from studypack.admin.course_files.tree import read_folder
from studypack.core.errors import FieldError, Unprocessable

CONTENT = Path(__file__).parent / "content"
COURSES = CONTENT / "courses"


def course_folders(root: Path = COURSES) -> list[Path]:
    """The folders that hold a course, by name."""
    return sorted(path.parent for path in root.glob("*/course.yaml"))


def read_course(folder: Path) -> CourseContent:
    """Read and check a course folder. Raises Unprocessable with every mistake."""
    return read_tree(read_folder(folder), name=folder.name)


def read_courses(root: Path = COURSES) -> dict[str, CourseContent]:
    """Read and check every course folder, and that none uses another's names; by folder's name.

    Raises Unprocessable with every mistake of the first folder that has one, then of all together.
    """
    courses = {folder.name: read_course(folder) for folder in course_folders(root)}
    names: Sequence[tuple[str, Callable[[CourseContent], list[str]]]] = (
        ("course", lambda content: [content.course.slug]),
        ("title", lambda content: [content.course.title]),
        ("question", lambda content: [question.id for question in content.questions]),
        ("exam", lambda content: [exam.slug for exam in content.exams]),
    )
    errors = []
    for kind, of in names:
        places: dict[str, str] = {}
        for folder, content in courses.items():
            errors += [
                FieldError(f"{folder}: {name}", "duplicate", f"{kind}: {places[name]} has it too.")
                for name in of(content)
                if name in places
            ]
            places |= dict.fromkeys(of(content), folder)
    if errors:
        raise Unprocessable("The courses use each other's names.", errors=errors)
    return courses


def in_order(courses: Mapping[str, CourseContent]) -> dict[str, CourseContent]:
    """Courses after those that they ask for, as far as these are among them."""
    folders = {content.course.slug: folder for folder, content in courses.items()}
    ordered: dict[str, CourseContent] = {}
    under_way: set[str] = set()

    def put(folder: str) -> None:
        if folder in ordered or folder in under_way:
            return
        under_way.add(folder)
        for slug in courses[folder].course.prerequisites:
            if slug in folders:
                put(folders[slug])
        ordered[folder] = courses[folder]

    for folder in courses:
        put(folder)
    return ordered
