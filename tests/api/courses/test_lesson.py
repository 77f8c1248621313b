"""A lesson's page: what it says, where it stands, what comes with it."""

from __future__ import annotations

from typing import Any
from urllib.request import urlopen

import pytest

from tests.support import bank, learning
from tests.support.videos import BUCKET, LocalMux


def page(person: Any, lesson: Any) -> Any:
    answer = person.get(f"/api/lessons/{lesson}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_content_comes_as_it_was_written_and_as_safe_html(learner: Any) -> None:
    course = learning.a_course(0, disclaimer="Not reviewed.")
    markdown = learning.add_lesson(
        course, content_markdown="Use **loops**. <script>alert(1)</script>"
    )
    document = {
        "type": "doc",
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}],
    }
    tiptap = learning.add_lesson(course, content=document, content_markdown=None)

    found = page(learner, markdown)
    assert "<strong>loops</strong>" in found["html"]
    assert "<script" not in found["html"]
    assert found["content"] is None
    assert found["content_markdown"].startswith("Use **loops**")
    assert found["disclaimer"] == "Not reviewed."
    found = page(learner, tiptap)
    assert (found["content"], found["content_markdown"]) == (document, None)
    assert found["html"].strip() == "<p>Hello</p>"


def test_the_lessons_around_it_are_named_across_modules(learner: Any) -> None:
    course = learning.a_course(2, 1)
    first, second = course.lessons[0]
    last = course.lessons[1][0]
    around = {}
    for lesson in (first, second, last):
        found = page(learner, lesson)
        around[lesson] = tuple(found[side] and found[side]["id"] for side in ("previous", "next"))
    assert around == {
        first: (None, str(second)),
        second: (str(first), str(last)),
        last: (str(second), None),
    }
    found = page(learner, last)
    assert (found["course"]["slug"], found["module"]["slug"]) == (course.slug, "module-1")


def test_what_is_not_published_is_nobodys_neighbour(learner: Any) -> None:
    course = learning.a_course(3)
    first, hidden, last = course.lessons[0]
    bank.execute("UPDATE learning.lessons SET published = false WHERE id = :id", id=hidden)
    assert page(learner, first)["next"]["id"] == str(last)
    assert page(learner, last)["previous"]["id"] == str(first)


def test_it_tells_how_far_its_reader_is(learner: Any, other_learner: Any) -> None:
    video = learning.add_video(learning.a_course(0), seconds=600)
    learning.watch(learner, video, 120)
    assert page(learner, video)["progress"] == {
        "view_count": 1,
        "completed": False,
        "completed_at": None,
        "position_seconds": 120,
        "watched_seconds": 120,
        "needed_seconds": 540,
    }
    assert page(other_learner, video)["progress"]["view_count"] == 0


def test_a_video_without_an_account_at_mux_is_null_with_its_status(learner: Any) -> None:
    course = learning.a_course(0)
    ready = page(learner, learning.add_video(course))
    assert (ready["video_status"], ready["video"]) == ("READY", None)
    pending = page(learner, learning.add_video(course, video_status="PROCESSING"))
    assert (pending["video_status"], pending["video"]) == ("PROCESSING", None)
    assert pending["progress"]["needed_seconds"] is None


def test_nobody_reads_without_signing_in(api: Any) -> None:
    course = learning.a_course(0)
    free = learning.add_lesson(course, is_free=True)
    assert api.get(f"/api/lessons/{free}").status_code == 401


@pytest.mark.parametrize("free", [True, False])
def test_free_lessons_are_read_without_paying(learner: Any, free: bool) -> None:
    learning.nothing_is_free()
    lesson = learning.add_lesson(learning.a_course(0), is_free=free)
    assert learner.get(f"/api/lessons/{lesson}").status_code == (200 if free else 402)


def test_links_to_video_and_files_come_with_it(learner: Any, videos: LocalMux, bucket: Any) -> None:
    course = learning.a_course(0)
    video = learning.add_video(course, seconds=600)
    locked = learning.add_video(course)
    for lesson, key, status in (
        (video, "one", "READY"),
        (video, "two", "PENDING"),
        (locked, "three", "READY"),
    ):
        bank.execute(
            "INSERT INTO learning.assets (id, lesson_id, title, file_name, storage_key, file_size,"
            " mime_type, status) VALUES (public.uuid7(), :lesson, 'A file', 'a.pdf', :key, 5,"
            " 'application/pdf', :status)",
            lesson=lesson,
            key=f"lessons/{key}.pdf",
            status=status,
        )
    bucket.put_object(Bucket=BUCKET, Key="lessons/one.pdf", Body=b"%PDF-")

    found = page(learner, video)
    assert found["video"]["duration_seconds"] == 600
    assert found["video"]["stream_url"].startswith("http")
    assert set(found["video"]["tokens"]) == {"playback", "thumbnail", "storyboard"}
    [asset] = found["assets"]
    assert asset["file_name"] == "a.pdf"
    with urlopen(asset["url"]) as file:  # noqa: S310 (moto's, on this machine)
        assert file.read() == b"%PDF-"

    learning.nothing_is_free()
    refused = learner.get(f"/api/lessons/{locked}")
    assert refused.status_code == 402
    assert "three.pdf" not in refused.text
