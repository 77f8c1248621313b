"""Courses in and out of the database as files: what routes and commands call."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from studypack.admin.course_files.archive import LARGEST_ZIP, read_zip, write_zip
from studypack.admin.course_files.content import CourseContent
from studypack.admin.course_files.exporting import export_content
from studypack.admin.course_files.files import FileStore, Storage
from studypack.admin.course_files.importing import import_content
from studypack.admin.course_files.reading import read_course
from studypack.admin.course_files.report import CourseReport, Kind
from studypack.admin.course_files.storing import store
from studypack.admin.course_files.tree import Tree
from studypack.admin.course_files.writing import write_course
from studypack.core import audit
from studypack.core.database import transaction
from studypack.core.errors import Conflict, ContentTooLarge, Unavailable, Unprocessable
from studypack.integrations import storage


class _Undone(Exception):
    def __init__(self, report: CourseReport) -> None:
        self.report = report


def bucket() -> Storage | None:
    """Where files lie here; None without a bucket."""
    return storage if storage.is_set_up() else None


def import_zip(data: bytes, *, by: UUID, now: datetime, dry_run: bool = False) -> CourseReport:
    """Write the course that a zip holds, files first, then rows in one transaction.

    Raises ContentTooLarge, Unprocessable with every mistake, Conflict (`changed_meanwhile`),
    Unavailable (`files_not_set_up`, `files_unavailable`).
    """
    content = read_course(read_zip(data))
    files = bucket()
    has_files = content.media or any(module.assets for module in content.modules)
    if files is None and has_files:
        raise Unavailable(
            "The course has files, and there is no bucket here.",
            code="files_not_set_up",
            retry_after_seconds=3600,
        )
    return import_course(content, files=files, by=by, now=now, dry_run=dry_run)


def import_course(
    content: CourseContent,
    *,
    files: Storage | None,
    by: UUID | None,
    now: datetime,
    dry_run: bool = False,
) -> CourseReport:
    """Write a course in one transaction of its own, when its files are stored. `dry_run`: do it
    all, store nothing, and undo it.

    Raises Unprocessable with every mistake that only the database knows, Conflict
    (`changed_meanwhile`: somebody took one of its files away meanwhile), Unavailable
    (`files_unavailable`).
    """
    stored = None if files is None else store(content, files, dry_run=dry_run)
    try:
        with transaction() as session:
            report = import_content(session, content, stored=stored, now=now, by=by)
            if dry_run:
                raise _Undone(report)  # noqa: TRY301 (it ends the transaction)
            if by is not None:
                audit.record(
                    session,
                    "course.imported",
                    actor_id=by,
                    subject_id=report.course_id,
                    slug=report.slug,
                    **{kind.value: vars(tally) for kind, tally in report.tallies.items()},
                )
    except _Undone as undone:
        return undone.report
    except (Unprocessable, Conflict):
        # Our own refusals alone: of an error at the commit nobody knows whether rows name them.
        if files is not None and stored is not None:
            stored.take_back(files)
        raise
    if files is not None and stored is not None:
        stored.replace_pictures(files, content)
    return report


def export_course(slug: str, *, files: FileStore | None, by: UUID | None) -> Tree:
    """A course's files.

    Raises NotFound (`course_not_found`), Conflict (`files_missing`).
    """
    with transaction() as session:
        # Of one moment, though it takes several statements.
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        content = export_content(session, slug, files=files)
        if by is not None:
            audit.record(session, "course.exported", actor_id=by, subject_id=None, slug=slug)
    return write_course(content)


def export_zip(slug: str, *, by: UUID) -> bytes:
    """A course's files as a zip.

    Raises NotFound (`course_not_found`), Conflict (`files_missing`), ContentTooLarge when an answer
    cannot hold it.
    """
    data = write_zip(export_course(slug, files=bucket(), by=by), slug)
    if len(data) > LARGEST_ZIP:
        raise ContentTooLarge(
            f"The zip is larger than {LARGEST_ZIP} bytes:"
            f" make course-export COURSE={slug} DIR=... writes a folder.",
            bytes=len(data),
        )
    return data


__all__ = ["Kind", "bucket", "export_course", "export_zip", "import_course", "import_zip"]
