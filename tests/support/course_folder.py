"""A small course as files, for tests to spoil; and what to do with one."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import yaml

from studypack.admin.course_files.files import FileStore, MemoryFiles
from studypack.admin.course_files.reading import read_course
from studypack.admin.course_files.report import CourseReport
from studypack.admin.course_files.service import export_course, import_course
from studypack.admin.course_files.tree import Tree

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SLUG = "knots"
LOOPS = "modules/first/loops.md"
BENDS = "modules/first/bends.json"
QUIZ = "modules/first/knots-quiz.quiz.yaml"
PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"></svg>'


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def text(data: Any) -> bytes:
    """A YAML file."""
    return yaml.dump(data, Dumper=_Plain, sort_keys=False).encode()


def lesson(fields: dict[str, Any], body: str) -> bytes:
    """A Markdown lesson."""
    return f"---\n{yaml.safe_dump(fields)}---\n{body}\n".encode()


def question(number: int) -> dict[str, Any]:
    """A question of the bank."""
    return {
        "id": f"knot-{number}",
        "type": "SINGLE_BEST",
        "topic": "loops" if number % 2 else "bends",
        "stem": f"Which knot is number {number}?",
        "rationale": "It is so.",
        "options": [{"text": "This one", "correct": True}, {"text": "Another"}],
    }


def course() -> dict[str, bytes]:
    """Two modules: a Markdown lesson with a file and a picture, a TipTap one, a video, quizzes."""
    return {
        "course.yaml": text(
            {
                "slug": SLUG,
                "title": "Knots",
                "description": "How to tie: and how to untie.",
                "icon": "🪢",
                "syllabus": "Two modules.\n\n- loops\n- bends",
                "topics": [
                    {"slug": "loops", "name": "Loops", "topics": [{"slug": "bends", "name": "B"}]}
                ],
                "modules": ["second", "first"],
            }
        ),
        "modules/second/module.yaml": text(
            {"title": "Second", "release_after_days": 7, "lessons": ["film"]}
        ),
        "modules/second/film.md": lesson(
            {
                "title": "A film",
                "kind": "VIDEO",
                "free": True,
                "video": {"playback_id": "film-1", "duration_seconds": 90},
                "transcript": "One.\n\nTwo.",
            },
            "",
        ),
        "modules/first/module.yaml": text(
            {
                "title": "First",
                "lessons": ["loops", "bends"],
                "quizzes": ["knots-quiz"],
            }
        ),
        LOOPS: lesson(
            {
                "title": "Loops: the start",
                "summary": "What a loop is",
                "topic": "loops",
                "minutes": 5,
                "assets": [{"file": "table.csv", "title": "A table"}],
            },
            "# Loops\n\nA *loop*.\n\n![A loop](media/loop.svg)\n\n    indented\n\n---\n\nEnd.",
        ),
        BENDS: json.dumps(
            {
                "title": "Bends",
                "kind": "INTERACTIVE",
                "published": False,
                "content": {
                    "type": "doc",
                    "content": [
                        {"type": "paragraph", "content": [{"type": "text", "text": "Try it."}]}
                    ],
                },
            }
        ).encode(),
        "modules/first/assets/table.csv": b"name,turns\nbowline,2\n",
        QUIZ: text(
            {
                "title": "Knots quiz",
                "topic": "loops",
                "negative_marking": 0.25,
                "question_count": 2,
                "questions": ["knot-2", {"id": "knot-1", "points": 3}, "knot-3"],
            }
        ),
        "quizzes/practice.quiz.yaml": text(
            {"title": "Practice", "topic": "bends", "questions": ["knot-3"]}
        ),
        "questions/all.yaml": text([question(1), question(2), question(3)]),
        "media/loop.svg": PICTURE,
    }


def edited(tree: Tree, path: str, **changes: Any) -> dict[str, bytes]:
    """The files with fields of one of them changed; None takes a field away."""
    data = tree[path]
    if path.endswith(".md"):
        _, head, body = data.decode().split("---\n", 2)
        return {**tree, path: lesson(_merged(yaml.safe_load(head), changes), body.rstrip("\n"))}
    if path.endswith(".json"):
        return {**tree, path: json.dumps(_merged(json.loads(data), changes)).encode()}
    return {**tree, path: text(_merged(yaml.safe_load(data), changes))}


def _merged(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def without(tree: Tree, *paths: str) -> dict[str, bytes]:
    """The files but these."""
    return {path: data for path, data in tree.items() if path not in paths}


def bring(
    tree: Tree, files: FileStore | None = None, *, by: UUID | None = None, dry_run: bool = False
) -> CourseReport:
    """Import the files."""
    return import_course(
        read_course(tree), files=files or MemoryFiles(), by=by, now=NOW, dry_run=dry_run
    )


def fetch(files: FileStore | None, slug: str = SLUG) -> Tree:
    """Export the course."""
    return export_course(slug, files=files, by=None)


def zipped(tree: Tree, folder: str = "") -> bytes:
    """A zip as people make them."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as opened:
        for path, data in tree.items():
            opened.writestr(f"{folder}{path}", data)
    return buffer.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    """What a zip holds."""
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}
