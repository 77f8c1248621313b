"""Pages on which a person takes a course: a client of the API like any other, without a build."""

from __future__ import annotations

import secrets
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment

# Lessons are written by authors: should one's html ever hold a script, this page runs none of it.
_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def router(pages: Environment) -> APIRouter:
    """The courses, a course, a lesson, a quiz; and the addresses by which mails lead to them."""
    routes = APIRouter()

    def show(name: str, **values: Any) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        html = pages.get_template(name).render(nonce=nonce, **values)
        return HTMLResponse(html, headers={"Content-Security-Policy": _POLICY.format(nonce=nonce)})

    @routes.get("/learn")
    def courses() -> HTMLResponse:
        return show("learn.html")

    @routes.get("/learn/{slug}")
    def course(slug: str) -> HTMLResponse:
        return show("learn-course.html", slug=slug)

    @routes.get("/learn/lesson/{lesson_id}")
    def lesson(lesson_id: UUID) -> HTMLResponse:
        return show("learn-lesson.html", lesson_id=str(lesson_id))

    @routes.get("/learn/quiz/{quiz_id}")
    def quiz(quiz_id: UUID) -> HTMLResponse:
        return show("learn-quiz.html", quiz_id=str(quiz_id))

    # Where mails lead (studypack/emails/pages.py).
    @routes.get("/courses")
    def mailed_courses() -> RedirectResponse:
        return RedirectResponse("/learn")

    @routes.get("/courses/{slug}")
    def mailed_course(slug: str) -> RedirectResponse:
        return RedirectResponse(f"/learn/{quote(slug, safe='')}")

    @routes.get("/lessons/{lesson_id}")
    def mailed_lesson(lesson_id: str) -> RedirectResponse:
        return RedirectResponse(f"/learn/lesson/{quote(lesson_id, safe='')}")

    return routes
