"""Files of lessons: links for learners. Who may have them is decided elsewhere
(courses/access.py); how files come is courses/asset_uploads.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from studypack.core import outages
from studypack.courses.models import Asset, AssetStatus
from studypack.integrations import storage

LINK_SECONDS: Final = 15 * 60
_SHOWN_BY_BROWSERS: Final = {"application/pdf"}


@dataclass(frozen=True)
class AssetLink:
    """A file that a learner may have for a quarter of an hour."""

    id: UUID
    title: str
    file_name: str
    mime_type: str
    file_size: int
    """Bytes."""
    url: str
    """Saves it."""
    view_url: str | None
    """Shows it in the browser; PDF only."""
    expires_in_seconds: int


def links_of(session: Session, lesson_id: UUID) -> list[AssetLink]:
    """Links to the files of a lesson, in their order: one statement. None without a bucket, so
    that the lesson can be read.
    """
    rows = session.execute(
        select(Asset)
        .where(Asset.lesson_id == lesson_id, Asset.status == AssetStatus.READY)
        .order_by(Asset.position, Asset.id)
    ).scalars()
    found = list(rows)
    if found and not storage.is_set_up():
        outages.tell("files_not_set_up")
        return []
    return [link_to(asset) for asset in found]


def link_to(asset: Asset) -> AssetLink:
    """Links to one file; nobody is asked.

    Raises Unavailable (`files_not_set_up`).
    """

    def url(*, inline: bool) -> str:
        return storage.download_url(
            asset.storage_key,
            file_name=asset.file_name,
            mime_type=asset.mime_type,
            seconds=LINK_SECONDS,
            inline=inline,
        )

    return AssetLink(
        id=asset.id,
        title=asset.title,
        file_name=asset.file_name,
        mime_type=asset.mime_type,
        file_size=asset.file_size,
        url=url(inline=False),
        view_url=url(inline=True) if asset.mime_type in _SHOWN_BY_BROWSERS else None,
        expires_in_seconds=LINK_SECONDS,
    )
