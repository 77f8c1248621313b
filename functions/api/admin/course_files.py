"""Courses as files, for admins: a zip in, a zip out."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field, StringConstraints

from studypack.access.guards import AdminUser, Now
from studypack.admin.course_files import service
from studypack.admin.course_files.report import Change, CourseReport, Kind
from studypack.core.errors import UnsupportedMediaType
from studypack.core.http import Out
from studypack.courses.authoring.slugs import MAX_SLUG, SLUG_PATTERN

router = APIRouter(prefix="/courses")

ZIP = "application/zip"
_ZIP_NAMES = {ZIP, "application/x-zip-compressed"}
_ZIP_SCHEMA: dict[str, Any] = {ZIP: {"schema": {"type": "string", "format": "binary"}}}
ZIP_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": _ZIP_SCHEMA}}
ZIP_RESPONSE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A folder of this course, as a zip", "content": _ZIP_SCHEMA}
}
MOST_CHANGES = 1_000


async def zip_body(request: Request) -> bytes:
    """The body as it came."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _ZIP_NAMES:
        raise UnsupportedMediaType(f"The body is a zip: send it as {ZIP}.")
    return await request.body()


Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=MAX_SLUG)]


class TallyOut(Out):
    """How many of a kind."""

    kind: Kind
    created: int
    changed: int
    unchanged: int
    removed: int = Field(description="Deleted so that they can come back; of questions: retired")


class FileChangeOut(Out):
    """One thing that does not stay as it was."""

    kind: Kind
    name: str = Field(examples=["modules/control-flow/loops.md"])
    change: Change


class CourseImportOut(Out):
    """What an import did, or would do."""

    slug: str
    dry_run: bool
    is_unchanged: bool = Field(description="Nothing was written, or would be")
    tallies: list[TallyOut]
    changes: list[FileChangeOut] = Field(description=f"The first {MOST_CHANGES}, without questions")
    questions_revived: int = Field(description="Were gone from the files, and are active again")
    questions_left_retired: int = Field(description="Were withdrawn by hand, and stay so")
    exams_left_inactive: int = Field(description="Were switched off by hand, and stay so")
    topics_kept: int = Field(description="Gone from the files, but something hangs from them")

    @classmethod
    def of(cls, report: CourseReport, *, dry_run: bool) -> CourseImportOut:
        return cls(
            slug=report.slug,
            dry_run=dry_run,
            is_unchanged=report.is_unchanged,
            tallies=[TallyOut(kind=kind, **vars(tally)) for kind, tally in report.tallies.items()],
            changes=[
                FileChangeOut(kind=kind, name=name, change=change)
                for kind, name, change in report.changes[:MOST_CHANGES]
            ],
            questions_revived=report.revived,
            questions_left_retired=report.left_retired,
            exams_left_inactive=report.exams_inactive,
            topics_kept=report.topics_kept,
        )


@router.post("/import", openapi_extra=ZIP_BODY)
def import_course(
    caller: AdminUser,
    now: Now,
    body: Annotated[bytes, Depends(zip_body)],
    dry_run: Annotated[bool, Query(description="Check it, tell what it would do, do not")] = False,
) -> CourseImportOut:
    """Make a course be as the files in a zip (at most 4 MB) have it. What is the same is decided
    by slugs and questions' ids; what is gone from the files is deleted softly; what learners did
    stays. 422 names every mistake by file and field, and nothing is written.
    """
    report = service.import_zip(body, by=caller.id, now=now, dry_run=dry_run)
    return CourseImportOut.of(report, dry_run=dry_run)


@router.get("/{slug}/export", response_class=Response, responses=ZIP_RESPONSE)
def export_course(slug: Slug, caller: AdminUser) -> Response:
    """A course as the files that would be imported as it; always the same bytes for the same
    course. 413 when that is too much for an answer.
    """
    return Response(
        service.export_zip(slug, by=caller.id),
        media_type=ZIP,
        headers={"Content-Disposition": f'attachment; filename="{slug}.zip"'},
    )
