"""The Mux stand-in beside the local server: its key, whom it tells, which samples it plays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import mux
from local import template as sam
from local.environment import uses_mux_itself
from local.mux import key

_FILES = "LessonFiles"
"""The bucket's logical id."""


def signing_key(state: Path) -> str | None:
    """The private key (PEM) that lets somebody watch here; None when an account is named."""
    return None if uses_mux_itself(os.environ) else key.ensure(state)


def bucket(template: sam.Template) -> str | None:
    """The stand-in's name of the bucket of lessons' files."""
    return next((name for name in template.buckets if name == _FILES.lower()), None)


@contextmanager
def running(base_url: str) -> Iterator[mux.StandIn | None]:
    """The stand-in, at work; None when the environment names an account at Mux. It listens where
    the local server mounts it.
    """
    from studypack.core.config import get_settings

    settings = get_settings()
    if settings.mux_token_id != mux.TOKEN_ID or settings.mux_signing_key is None:
        yield None
        return
    public = key.public_half(settings.mux_signing_key.get_secret_value())
    standin = mux.StandIn(
        f"{base_url}{mux.PATH}",
        (mux.TOKEN_ID, mux.TOKEN_SECRET),
        {mux.SIGNING_KEY_ID: public},
        endpoints=(mux.Endpoint(f"{base_url}{mux.WEBHOOK_PATH}", mux.WEBHOOK_SECRET),),
        samples=seconds_of_sample,
    )
    standin.start()
    try:
        yield standin
    finally:
        standin.stop()


def seconds_of_sample(playback_id: str) -> int | None:
    """How long a video is that a lesson has without having been sent to the stand-in: a sample
    course's, or one from before the stand-in was started anew.
    """
    from sqlalchemy import select

    from studypack.core.database import read_session
    from studypack.courses.models import Lesson, VideoStatus

    with read_session() as session:
        return session.scalar(
            select(Lesson.duration_seconds)
            .where(Lesson.mux_playback_id == playback_id, Lesson.video_status == VideoStatus.READY)
            .limit(1)
        )
