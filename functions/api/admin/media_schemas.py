"""Videos and files of lessons, as admins send and see them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from studypack.core.http import In, Out, ShortText, UtcTime
from studypack.courses.asset_uploads import Announced
from studypack.courses.assets import link_to
from studypack.courses.models import Asset, AssetStatus, VideoStatus
from studypack.courses.video import Playback
from studypack.courses.video_uploads import CaptionWish, VideoState

Language = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$"),
    Field(description="BCP 47", examples=["en-US"]),
]
HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+/\S*$", max_length=2_000)]
Position = Annotated[int, Field(ge=0, le=32_767)]


class CaptionIn(In):
    """A track of captions for a video that is ready."""

    language: Language
    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        examples=["English"]
    )
    url: HttpsUrl | None = Field(
        None, description="Of an SRT or WebVTT file; null: written from what is said"
    )

    def to_service(self) -> CaptionWish:
        return CaptionWish(language=self.language, name=self.name, url=self.url)


class TranscriptIn(In):
    """What is said in a video."""

    transcript: Annotated[str, StringConstraints(min_length=1, max_length=200_000)] | None


class CaptionTrackOut(Out):
    """A track of captions."""

    language: str
    name: str | None
    status: str = Field(description="preparing, ready, errored")


class PlaybackOut(Out):
    """Links to watch it, for a while."""

    playback_id: str
    stream_url: str = Field(description="An HLS playlist")
    thumbnail_url: str
    storyboard_url: str
    tokens: dict[str, str] = Field(description="For Mux's player: playback, thumbnail, storyboard")
    expires_at: UtcTime

    @classmethod
    def of(cls, playback: Playback) -> PlaybackOut:
        return cls.model_validate({**vars(playback), "tokens": dict(playback.tokens)})


class VideoOut(Out):
    """A lesson's video and how far it is."""

    lesson_id: UUID
    status: VideoStatus | None = Field(description="null: there is none")
    error: str | None = Field(description="Mux's words about a file that it could not use")
    duration_seconds: int | None
    captions: list[CaptionTrackOut]
    transcript: str | None
    upload_url: str | None = Field(description="PUT the file there, in one request or in parts")
    upload_expires_at: UtcTime | None
    playback: PlaybackOut | None

    @classmethod
    def of(cls, state: VideoState) -> VideoOut:
        return cls(
            lesson_id=state.lesson_id,
            status=state.status,
            error=state.error,
            duration_seconds=state.duration_seconds,
            captions=[
                CaptionTrackOut(
                    language=str(track.get("language") or "und"),
                    name=track.get("name"),
                    status=str(track.get("status") or "ready"),
                )
                for track in state.captions
            ],
            transcript=state.transcript,
            upload_url=state.upload_url,
            upload_expires_at=state.upload_expires_at,
            playback=None if state.playback is None else PlaybackOut.of(state.playback),
        )


class AssetIn(In):
    """A file that is about to come."""

    file_name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        examples=["worksheet.pdf"]
    )
    mime_type: Annotated[str, StringConstraints(min_length=1, max_length=150)] = Field(
        examples=["application/pdf"]
    )
    size: Annotated[int, Field(ge=1, le=2**40, description="Bytes")]
    title: ShortText | None = Field(None, description="The file's name if left out")


class AssetPatch(In):
    """What to change; what is left out stays."""

    # Defaults that stand for nothing: only what was sent is read, and the document shows none.

    title: ShortText = Field(default_factory=str)
    position: Position = Field(default_factory=int)


class AdminAssetOut(Out):
    """A lesson's file, with a link to look at it for a quarter of an hour."""

    id: UUID
    lesson_id: UUID
    title: str
    file_name: str
    mime_type: str
    file_size: int = Field(description="Bytes")
    position: int
    status: AssetStatus
    url: str | None = Field(description="null until it has come")
    created_at: UtcTime

    @classmethod
    def of(cls, asset: Asset) -> AdminAssetOut:
        columns = {name: getattr(asset, name, None) for name in cls.model_fields}
        columns["url"] = link_to(asset).url if asset.status is AssetStatus.READY else None
        return cls.model_validate(columns)


class UploadFormOut(Out):
    """A form to send the file with: these fields first, then `file`, as multipart/form-data."""

    url: str
    fields: dict[str, str]
    expires_in_seconds: int


class AnnouncedAssetOut(Out):
    """A file that may come now; then call `complete`."""

    asset: AdminAssetOut
    upload: UploadFormOut

    @classmethod
    def of(cls, announced: Announced) -> AnnouncedAssetOut:
        return cls(
            asset=AdminAssetOut.of(announced.asset),
            upload=UploadFormOut(
                url=announced.form.url,
                fields=dict(announced.form.fields),
                expires_in_seconds=announced.expires_in_seconds,
            ),
        )


class AssetListOut(Out):
    """The files of a lesson in their order."""

    items: list[AdminAssetOut]
