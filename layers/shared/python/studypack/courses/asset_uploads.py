"""Bringing files to lessons: announced here, sent to S3 by the browser, checked here, then there
for learners.

A file that goes is for nobody there from the commit on (DELETED); what is stored is removed after
it, or by the sweep. So what removes opens its short transactions itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from studypack.core import audit
from studypack.core.business_settings import get_business_settings
from studypack.core.database import transaction
from studypack.core.errors import Conflict, FieldError, NotFound, Unprocessable
from studypack.core.ids import uuid7
from studypack.core.jobs import Run
from studypack.core.telemetry import get_logger
from studypack.courses.file_types import check_announced, extension_of, is_what_its_name_says
from studypack.courses.models import Asset, AssetStatus, Lesson
from studypack.courses.video_rows import LESSONS, lock_lesson, no_lesson
from studypack.integrations import storage
from studypack.integrations.storage import UploadForm

FORM_SECONDS: Final = 60 * 60
MOST_FILES: Final = 50
"""Of one lesson."""
BATCH: Final = 50
_MEGABYTE: Final = 1024 * 1024


@dataclass(frozen=True)
class Announced:
    """A file that is about to come, and the form to send it with."""

    asset: Asset
    form: UploadForm
    expires_in_seconds: int


def announce(
    session: Session,
    lesson_id: UUID,
    *,
    title: str | None,
    file_name: str,
    mime_type: str,
    size: int,
    by: UUID,
) -> Announced:
    """Say which file (size in bytes) is to come to a lesson, after those that it has.

    Raises NotFound (`lesson_not_found`); Unprocessable naming `file_name`, `mime_type`, `size`;
    Conflict (`too_many_files`); Unavailable (`files_not_set_up`).
    """
    kept_as = check_announced(file_name, mime_type)
    check_size(session, size)
    lock_lesson(session, lesson_id)
    taken, last = session.execute(
        select(func.count(), func.coalesce(func.max(Asset.position), -1)).where(
            Asset.lesson_id == lesson_id, Asset.status != AssetStatus.DELETED
        )
    ).one()
    if taken >= MOST_FILES:
        raise Conflict(f"A lesson has at most {MOST_FILES} files.", code="too_many_files")
    asset_id = uuid7()
    asset = Asset(
        id=asset_id,
        lesson_id=lesson_id,
        title=title or file_name,
        file_name=file_name,
        storage_key=f"lessons/{lesson_id}/{asset_id}.{extension_of(file_name)}",
        file_size=size,
        mime_type=kept_as,
        position=min(last + 1, 32_767),
        status=AssetStatus.PENDING,
    )
    session.add(asset)
    form = storage.upload_form(
        asset.storage_key, mime_type=kept_as, size=size, seconds=FORM_SECONDS
    )
    audit.record(session, "asset.announced", actor_id=by, subject_id=asset_id, size=size)
    session.flush()
    return Announced(asset, form, FORM_SECONDS)


def check_size(session: Session, size: int) -> None:
    """Raise Unprocessable naming `size` for a file that is empty or larger than the setting."""
    largest = get_business_settings(session).lesson_file_megabytes
    if not 0 < size <= largest * _MEGABYTE:
        raise Unprocessable(
            f"A file has at most {largest} MB, and is not empty.",
            errors=[FieldError("size", "too_large" if size > 0 else "empty", f"{largest} MB.")],
            max_bytes=largest * _MEGABYTE,
        )


def complete(asset_id: UUID, *, by: UUID) -> Asset:
    """Look at the file that came: learners get it if it has the size and the type that were
    announced, otherwise it is removed. Again changes nothing.

    Raises NotFound (`asset_not_found`); Conflict (`not_uploaded`: nothing came yet); Unprocessable
    naming `size` or `file_name`; Unavailable (`files_unavailable`, `files_not_set_up`).
    """
    with transaction() as session:
        asset = find(session, asset_id)
    if asset.status is AssetStatus.READY:
        return asset
    stored = storage.inspect(asset.storage_key)
    if stored is None:
        raise Conflict("The file has not arrived.", code="not_uploaded")
    refusal = _refusal(asset, stored)
    if refusal is not None:
        _refuse(asset, by=by)
        raise refusal
    with transaction() as session:
        asset = find(session, asset_id, lock=True)
        if asset.status is AssetStatus.PENDING:
            asset.status = AssetStatus.READY
            audit.record(
                session,
                "asset.completed",
                actor_id=by,
                subject_id=asset_id,
                lesson_id=str(asset.lesson_id),
                size=asset.file_size,
            )
    return asset


def _refusal(asset: Asset, stored: storage.StoredFile) -> Unprocessable | None:
    if stored.size != asset.file_size:
        return Unprocessable.field(
            "size",
            f"{asset.file_size} bytes were announced, {stored.size} came.",
            code="other_size",
        )
    if not is_what_its_name_says(asset.file_name, stored.first_bytes):
        return Unprocessable.field(
            "file_name",
            f"What came is no .{extension_of(asset.file_name)} file.",
            code="other_type",
        )
    return None


def _refuse(asset: Asset, *, by: UUID) -> None:
    """What is wrong goes at once; the row too, since nothing can come of it."""
    with transaction() as session:
        _mark_deleted(session, [asset.id])
        audit.record(session, "asset.refused", actor_id=by, subject_id=asset.id)
    remove_at_once([asset.id])


def list_all(session: Session, lesson_id: UUID) -> list[Asset]:
    """The files of a lesson as authors see them, those that have not come among them.

    Raises NotFound (`lesson_not_found`).
    """
    found = list(
        session.scalars(
            select(Asset)
            .where(Asset.lesson_id == lesson_id, Asset.status != AssetStatus.DELETED)
            .order_by(Asset.position, Asset.id)
        )
    )
    if not found and session.scalar(LESSONS.where(Lesson.id == lesson_id)) is None:
        raise no_lesson()
    return found


def find(session: Session, asset_id: UUID, *, lock: bool = False) -> Asset:
    """One file.

    Raises NotFound (`asset_not_found`).
    """
    query = select(Asset).where(Asset.id == asset_id, Asset.status != AssetStatus.DELETED)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    asset = session.scalars(query).one_or_none()
    if asset is None:
        raise NotFound("There is no such file.", code="asset_not_found")
    return asset


def change(session: Session, asset_id: UUID, changes: Mapping[str, Any], *, by: UUID) -> Asset:
    """Change a file's `title` or `position` (equal ones are in the order in which they came).

    Raises NotFound (`asset_not_found`).
    """
    asset = find(session, asset_id, lock=True)
    for name, value in changes.items():
        setattr(asset, name, value)
    if changes:
        audit.record(
            session, "asset.changed", actor_id=by, subject_id=asset_id, fields=sorted(changes)
        )
    session.flush()
    return asset


def remove(asset_id: UUID, *, by: UUID) -> None:
    """Take a file away; what is stored of it is removed after the commit.

    Raises NotFound (`asset_not_found`).
    """
    with transaction() as session:
        asset = find(session, asset_id, lock=True)
        discard(session, [asset_id])
        audit.record(
            session,
            "asset.removed",
            actor_id=by,
            subject_id=asset_id,
            lesson_id=str(asset.lesson_id),
        )
    remove_at_once([asset_id])


def discard(session: Session, asset_ids: Iterable[UUID]) -> None:
    """Take files away in the caller's transaction; after its commit `remove_at_once` may remove
    what is stored, the sweep does otherwise.
    """
    _mark_deleted(session, list(asset_ids))


def _mark_deleted(session: Session, asset_ids: list[UUID]) -> None:
    session.execute(
        update(Asset)
        .where(Asset.id.in_(asset_ids))
        .values(status=AssetStatus.DELETED, updated_at=func.now())
        .execution_options(synchronize_session=False)
    )


def remove_at_once(asset_ids: Iterable[UUID]) -> None:
    """Remove what is stored of files that were taken away, after the commit of that; the sweep
    tries what fails here.
    """
    for asset_id in asset_ids:
        _remove(asset_id)


def _remove(asset_id: UUID) -> bool:
    with transaction() as session:
        key = session.scalar(
            select(Asset.storage_key).where(
                Asset.id == asset_id, Asset.status == AssetStatus.DELETED
            )
        )
    if key is None:
        return True
    try:
        storage.delete(key)
    except Exception as error:
        # Whatever it is, it keeps no other from being done, and the next run tries it again.
        get_logger().warning(
            "file is to remove", extra={"asset_id": str(asset_id), "kind": type(error).__name__}
        )
        return False
    with transaction() as session:
        session.execute(
            delete(Asset).where(Asset.id == asset_id, Asset.status == AssetStatus.DELETED)
        )
    return True


def remove_discarded(run: Run) -> int:
    """The sweep: remove what a crash or an outage left of files that were taken away; how many have
    waited for over a day.
    """
    tried: list[UUID] = []
    while run.has_time() and storage.is_set_up():
        with transaction() as session:
            due = session.scalars(
                select(Asset.id)
                .where(Asset.status == AssetStatus.DELETED, Asset.id.not_in(tried))
                .order_by(Asset.id)
                .limit(BATCH)
            ).all()
        if not due:
            break
        for asset_id in due:
            if not run.has_time():
                break
            tried.append(asset_id)
            run.count("removed_files", int(_remove(asset_id)))
    with transaction() as session:
        return int(
            session.scalar(
                select(func.count())
                .select_from(Asset)
                .where(
                    Asset.status == AssetStatus.DELETED,
                    Asset.updated_at < func.now() - timedelta(days=1),
                )
            )
            or 0
        )


def give_up_pending(run: Run) -> None:
    """Take announced files away that have not come, or that nobody completed, for a day."""

    def batch(session: Session) -> int:
        done = session.execute(_GIVE_UP, {"size": BATCH}).scalars().all()
        run.count("pending_files", len(done))
        return len(done)

    run.complete = False
    run.in_batches(batch)


_GIVE_UP = text(
    """
    UPDATE learning.assets SET status = 'DELETED', updated_at = now() WHERE id IN (
      SELECT id FROM learning.assets
       WHERE status = 'PENDING' AND created_at < now() - interval '1 day'
       LIMIT :size FOR UPDATE SKIP LOCKED)
    RETURNING id
    """
)
