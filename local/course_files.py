"""Courses as folders on this machine: import, export, and whether one comes back as it was.

python -m local.course_files import DIR
python -m local.course_files export SLUG DIR
python -m local.course_files roundtrip
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from local.content_files import COURSES, in_order, read_course, read_courses
from studypack.admin.course_files.comparing import differences
from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.files import FileStore, MemoryFiles
from studypack.admin.course_files.reading import read_course as read_tree
from studypack.admin.course_files.service import bucket, export_course, import_course
from studypack.admin.course_files.tree import Tree, write_folder
from studypack.core.errors import AppError


class FolderFiles:
    """Files of the sample courses by key, read from their folders: where `make seed` had no bucket
    to put them into, or the bucket went with the stack.
    """

    def __init__(self, root: Path = COURSES) -> None:
        self.root = root

    def put(self, key: str, content: bytes, *, mime_type: str) -> None:
        """Nothing: they are there."""

    def read(self, key: str) -> bytes | None:
        """A picture by its name, a lesson's file by the hash in its key."""
        kind, *parts = key.split("/")
        if kind == "media" and len(parts) == 2:
            path = self.root / parts[0] / "media" / parts[1]
            return path.read_bytes() if path.is_file() else None
        if kind == "lessons" and len(parts) == 3:
            for path in sorted(self.root.glob("*/modules/*/assets/*")):
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest().startswith(parts[1]):
                    return data
        return None


class _Either:
    """A bucket, and the folders for what it lacks."""

    def __init__(self, first: FileStore, then: FileStore) -> None:
        self.first, self.then = first, then

    def put(self, key: str, content: bytes, *, mime_type: str) -> None:
        """Store a file in the bucket."""
        self.first.put(key, content, mime_type=mime_type)

    def read(self, key: str) -> bytes | None:
        """A file, wherever it is."""
        found = self.first.read(key)
        return self.then.read(key) if found is None else found


def import_folder(folder: Path, say: Callable[[str], None] = print) -> int:
    """Write the course that a folder holds to the database; 1 and the mistakes if it has any."""
    report = import_course(read_course(folder), files=bucket(), by=None, now=datetime.now(UTC))
    say(f"{report.slug}: {report}")
    if report.assets_skipped:
        say(f"{report.assets_skipped} files of lessons are left out: there is no bucket here")
    return 0


def export_folder(slug: str, folder: Path, say: Callable[[str], None] = print) -> int:
    """Make a folder hold a course of the database."""
    here = FolderFiles()
    files = bucket()
    tree = export_course(slug, files=here if files is None else _Either(files, here), by=None)
    changed = write_folder(tree, folder)
    say(f"{slug}: {len(tree)} files in {folder}, {changed} of them changed")
    return 0


def round_trips(say: Callable[[str], None] = print, root: Path = COURSES) -> int:
    """Take every course through an empty database twice: what differs from its folder, what a
    second import writes, what a second export has otherwise. The sum.
    """
    total = 0
    files = MemoryFiles()
    for content in in_order(read_courses(root)).values():
        found = _round_trip(content, files)
        total += sum(len(each) for each in found.values())
        told = ", ".join(f"{len(each)} {what}" for what, each in found.items())
        say(f"{content.course.slug:<28} {told}")
        for what, names in found.items():
            for name in names[:20]:
                say(f"    {what}: {name}")
    say(f"{'all courses':<28} {total} differences")
    return total


def _round_trip(content: CourseContent, files: MemoryFiles) -> dict[str, list[str]]:
    slug, now = content.course.slug, datetime.now(UTC)
    import_course(content, files=files, by=None, now=now)
    first = export_course(slug, files=files, by=None)
    again = read_tree(first)
    puts = files.puts
    report = import_course(again, files=files, by=None, now=now)
    second = export_course(slug, files=files, by=None)
    written = [f"{path} {change}" for _, path, change in report.changes]
    if not written and not report.is_unchanged:
        written = ["questions"]
    if files.puts > puts:
        written.append(f"{files.puts - puts} files stored again")
    return {
        "differences from the folder": differences(content, again),
        "writes of a second import": written,
        "files of a second export that differ": _bytes_that_differ(first, second),
    }


def _bytes_that_differ(one: Tree, other: Tree) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@contextmanager
def _empty_database() -> Iterator[None]:
    from local import environment, migrate, postgres, stack

    name = f"roundtrip_{uuid4().hex}"
    with postgres.running(stack.STATE, durable=True) as cluster:
        url = postgres.ensure_database(cluster, name)
        try:
            migrate.upgrade(url)
            settings = environment.variables(
                database_url=url, web_base_url="http://127.0.0.1", given={}
            )
            with environment.applied(settings):
                yield
        finally:
            postgres.drop_database(cluster, name)


def main(arguments: list[str] | None = None) -> int:
    """The command; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.course_files")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("import").add_argument("folder", type=Path)
    export = commands.add_parser("export")
    export.add_argument("slug")
    export.add_argument("folder", type=Path)
    commands.add_parser("roundtrip")
    given = parser.parse_args(arguments)
    try:
        if given.command == "roundtrip":
            with _empty_database():
                return 1 if round_trips() else 0
        from local import stack

        with stack.database(stack.STATE):
            if given.command == "import":
                return import_folder(given.folder)
            return export_folder(given.slug, given.folder)
    except AppError as error:
        print(f"Not done: {error.message}", file=sys.stderr)
        for each in error.errors:
            print(f"  {each.field}: {each.message} ({each.code})", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
