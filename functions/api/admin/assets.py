"""Files of lessons: announced here, sent to S3 by the browser, checked here."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from api.admin.media_schemas import (
    AdminAssetOut,
    AnnouncedAssetOut,
    AssetIn,
    AssetListOut,
    AssetPatch,
)
from studypack.access.guards import AdminUser
from studypack.core.http import DbSession
from studypack.courses import asset_uploads

router = APIRouter()


@router.get("/lessons/{lesson_id}/assets")
def list_assets(lesson_id: UUID, _caller: AdminUser, session: DbSession) -> AssetListOut:
    """A lesson's files, those too that were announced and have not come."""
    found = asset_uploads.list_all(session, lesson_id)
    return AssetListOut(items=[AdminAssetOut.of(asset) for asset in found])


@router.post("/lessons/{lesson_id}/assets", status_code=201)
def announce_asset(
    lesson_id: UUID, body: AssetIn, caller: AdminUser, session: DbSession
) -> AnnouncedAssetOut:
    """Say which file is to come and get the form to send it with. 422 for a type that is not taken
    or a file that is too large.
    """
    announced = asset_uploads.announce(
        session,
        lesson_id,
        title=body.title,
        file_name=body.file_name,
        mime_type=body.mime_type,
        size=body.size,
        by=caller.id,
    )
    return AnnouncedAssetOut.of(announced)


@router.post("/assets/{asset_id}/complete")
def complete_asset(asset_id: UUID, caller: AdminUser) -> AdminAssetOut:
    """Say that the file was sent: it is looked at, and there for learners if it is what was
    announced; otherwise it is removed and this is a 422.
    """
    return AdminAssetOut.of(asset_uploads.complete(asset_id, by=caller.id))


@router.patch("/assets/{asset_id}")
def change_asset(
    asset_id: UUID, body: AssetPatch, caller: AdminUser, session: DbSession
) -> AdminAssetOut:
    """Change a file's title or place."""
    changes = body.model_dump(exclude_unset=True)
    return AdminAssetOut.of(asset_uploads.change(session, asset_id, changes, by=caller.id))


@router.delete("/assets/{asset_id}", status_code=204)
def delete_asset(asset_id: UUID, caller: AdminUser) -> None:
    """Take a file away for good."""
    asset_uploads.remove(asset_id, by=caller.id)
