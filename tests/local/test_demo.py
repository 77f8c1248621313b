"""The demo: over a stack of its own, against one that fails, and what its learner knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from local.demo import acts, markup
from local.demo.client import Device, Unexpected, form_target, mailed_link
from local.demo.display import make_console, score_lines
from local.demo.learner import KNOWN_SHARES, Learner, sample_bank
from local.demo.player import Player
from local.template import ROOT
from studypack.questions.answers import ANSWER, QuestionContent, QuestionType, check_answer
from studypack.questions.forms import present
from studypack.questions.grading import credit

SESSION = UUID("018f0000-0000-7000-8000-000000000001")


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    dropped = {"DATABASE_URL", "AWS_ENDPOINT_URL", "STRIPE_API_KEY", "COLUMNS"}
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    return subprocess.run(
        [sys.executable, "-m", "local.demo", *arguments],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": "layers/shared/python:functions:."},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )


def test_all_acts_pass_on_a_stack_of_its_own(tmp_path: Path) -> None:
    played = run_demo("--state", str(tmp_path))

    assert played.returncode == 0, played.stdout
    *_, last = played.stdout.splitlines()
    assert last == f"demo: {acts.COUNT} steps passed, 0 failed"
    assert "stale_revision" in played.stdout
    assert "exam_finished" in played.stdout
    assert "Mastery by topic" in played.stdout
    assert "402 entitlement_required" in played.stdout
    assert "409 not_watched_enough" in played.stdout
    assert "Certificate: http://" in played.stdout
    assert "INV-" in played.stdout
    assert "✗" not in played.stdout
    assert "Traceback" not in played.stdout


@contextmanager
def serving(answer: Callable[[str], tuple[int, Any]]) -> Iterator[str]:
    """A server whose answers are made of the request's path."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, document = answer(self.path)
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/problem+json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = _answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_failure_is_shown_with_request_status_and_problem_and_the_demo_goes_on() -> None:
    def broken(path: str) -> tuple[int, Any]:
        if path == "/_local/status.json":
            return 200, {"crons": []}
        return 500, {"code": "internal_error", "detail": "Something went wrong on our side."}

    with serving(broken) as base_url:
        played = run_demo("--base-url", base_url)

    told = played.stdout
    assert played.returncode == 1
    assert told.splitlines()[-1] == f"demo: 0 steps passed, {acts.COUNT} failed"
    assert "POST /api/auth/signup" in told
    assert "500" in told
    assert "Something went wrong on our side." in told
    assert "not tried: no exam was started" in told
    assert "not tried: no payment page was opened" in told
    assert "not tried: no video is playing" in told
    assert "not tried: there is no certificate" in told
    assert "marble-orchard-thunder" not in told
    assert "Traceback" not in told


def test_an_answer_of_another_make_than_expected_fails_its_step_alone() -> None:
    def strange(path: str) -> tuple[int, Any]:
        return (200, {"crons": []}) if path == "/_local/status.json" else (201, ["what"])

    with serving(strange) as base_url:
        played = run_demo("--base-url", base_url)

    assert played.returncode == 1
    assert "not understood" in played.stdout
    assert "Traceback" not in played.stdout


def test_an_address_where_nothing_answers_is_said() -> None:
    with serving(lambda _path: (200, {})) as base_url:
        pass

    played = run_demo("--base-url", base_url)

    assert played.returncode == 1
    assert f"no StudyPack answers at {base_url}" in played.stdout
    assert played.stdout.splitlines()[-1] == f"demo: 0 steps passed, {acts.COUNT} failed"


def shown(content: QuestionContent, topic: str = "intervention") -> dict[str, Any]:
    question = present(content, SESSION, 1, True).model_dump(mode="json")
    return {"topic": topic, "question": question}


@pytest.mark.parametrize("kind", QuestionType)
def test_the_learner_answers_right_and_wrong_on_purpose(kind: QuestionType) -> None:
    bank = [content for content in sample_bank() if content.type is kind]
    learner = Learner(bank)

    assert bank
    for content in bank:
        right, wrong = (
            ANSWER.validate_python(learner.answer(shown(content), right=wanted))
            for wanted in (True, False)
        )
        check_answer(right, content)
        check_answer(wrong, content)
        assert credit(content, right) == 1
        assert credit(content, wrong) < 1


@pytest.mark.parametrize("kind", QuestionType)
def test_a_question_that_the_learner_never_saw_gets_a_fitting_answer(kind: QuestionType) -> None:
    content, stranger = (
        next(content for content in sample_bank() if (content.type is kind) == same)
        for same in (True, False)
    )
    attempt = Learner([stranger]).attempt(shown(content))

    check_answer(ANSWER.validate_python(attempt.answer), content)
    assert not attempt.known


@pytest.mark.parametrize("topic", KNOWN_SHARES)
def test_the_learner_knows_the_topics_share_of_what_is_asked(topic: str) -> None:
    bank = sample_bank()[:20]
    learner = Learner(bank)

    known = sum(learner.attempt(shown(content, topic)).known for content in bank)

    assert known == pytest.approx(20 * KNOWN_SHARES[topic], abs=1)


def lesson_played_from(base_url: str, *, seconds: int) -> dict[str, Any]:
    video = {"duration_seconds": seconds, "stream_url": f"{base_url}/stream/abc.m3u8?token=t"}
    return {"id": "1", "video": video}


def test_a_player_sends_what_it_played_in_ranges_that_touch_and_never_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[dict[str, Any]] = []
    clock = iter([100.0, 106.0, 108.5, 999.0])
    monkeypatch.setattr("local.demo.player.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(Player, "fetch", lambda *_: "#EXTINF:6.0,\nabc/0.ts\n#EXTINF:14,\nabc/1.ts")
    device = Device("laptop", "http://127.0.0.1:9")
    monkeypatch.setattr(device, "post", lambda _path, body: sent.append(body) or {})
    player = Player(device, lesson_played_from("http://127.0.0.1:9", seconds=20))

    assert player.start() == 2
    for _ in range(3):
        player.report()

    ranges = [[(beat["from"], beat["to"]) for beat in body["beats"]] for body in sent]
    assert ranges == [[(0.0, 10.0), (10.0, 12.0)], [(12.0, 17.0)], [(17.0, 20.0)]]
    assert [body["position"] for body in sent] == [12.0, 17.0, 20.0]


def test_a_video_that_is_shorter_than_its_lesson_says_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Player, "fetch", lambda *_: "#EXTINF:6.0,\nabc/0.ts")
    player = Player(Device("laptop", "http://x"), lesson_played_from("http://x", seconds=20))

    with pytest.raises(Unexpected, match="20 s were promised, 6 s are listed"):
        player.start()


OUTBOX = """
<table><tr><th>Template</th></tr>
<tr><td>VERIFY_EMAIL</td><td>other@example.com</td><td><a href="/verify?token=1">Open</a></td></tr>
<tr><td>VERIFY_EMAIL</td><td>mia@example.com</td><td><a href="/verify?a=1&amp;token=2">Open</a></td>
</tr><tr><td>VERIFY_EMAIL</td><td>mia@example.com</td><td><a href="/verify?token=3">Open</a></td>
</tr></table>
"""


def test_the_newest_mail_to_the_address_is_found_in_the_outbox() -> None:
    assert mailed_link(OUTBOX, "mia@example.com", "VERIFY_EMAIL") == "/verify?a=1&token=2"
    with pytest.raises(Unexpected, match="no RESET_PASSWORD"):
        mailed_link(OUTBOX, "mia@example.com", "RESET_PASSWORD")


def test_a_landing_page_without_a_form_is_told() -> None:
    assert form_target('<form data-path="/api/x"></form>') == "/api/x"
    with pytest.raises(Unexpected, match="no form"):
        form_target("<p>nothing</p>")


PAGE = """
<div role="alert">Your card was <b>declined</b>.<br>Try another.</div><p>Nothing else</p>
<form action="/code"><input name="code"><button name="action" value="code">Apply</button></form>
<form><input type="radio" name="method" value="saved"><input type="radio" name="method" value="new"
checked><input name="number" value="42"><button name="action" value="pay">Pay</button></form>
"""


def test_a_form_is_read_with_what_is_filled_in_and_chosen() -> None:
    code, pay = markup.forms(PAGE)

    assert (code.action, code.names) == ("/code", {"code"})
    assert pay.fields == {"method": "new", "number": "42"}
    assert pay.buttons == [("action", "pay")]


def test_a_pages_complaint_is_read_alone() -> None:
    assert markup.alert(PAGE) == "Your card was declined.Try another."
    assert markup.alert("<p>fine</p>") == ""


@pytest.mark.parametrize(("score", "passed"), [(300, False), (450, True), (600, True)])
def test_a_score_is_drawn_on_its_scale_to_the_very_ends(score: int, passed: bool) -> None:
    scaled = {
        "minimum": 300, "maximum": 600, "pass_score": 450, "score": score, "standard_error": 25.0,
    }  # fmt: skip
    review = {"title": "Exam", "passed": passed, "score_percent": "70.00", "scaled": scaled}

    lines = score_lines(review).plain.splitlines()
    scale = lines[2].removeprefix("300 ").removesuffix(" 600")

    assert len(scale) == 61
    assert scale.index("●") == (score - 300) // 5
    assert "▒" in scale
    assert max(map(len, lines)) < make_console().width
