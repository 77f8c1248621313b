"""The steps of the journey: what a learner does, and what has to come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from local.demo.browser import Browser
from local.demo.client import Device, Exchange, form_target, mailed_link
from local.demo.learner import Document, Learner
from local.demo.sheet import AnswerSheet
from local.demo.steps import NotTried, Step, await_answer, check
from local.demo.till import GOOD_CARD, Till

DIAGNOSTIC = "ot-diagnostic"
EXAM = "ot-practice-exam"
PACK = "ot-exam-pack"
SCORING_JOB = "cron.score_exams"
PAYMENT_LIMIT_SECONDS = 20
SCORING_LIMIT_SECONDS = 90
BEFORE_THE_BREAK = 20
FLAGS = 3
CHANGED = 2
OK, FAILED = 200, 500


@dataclass
class Results:
    """What the journey came to, for the panel at the end."""

    diagnostic: Document | None = None
    review: Document | None = None
    sessions: list[Document] = field(default_factory=list)


class Journey:
    """A new learner, two devices and what they hold in common."""

    def __init__(
        self, base_url: str, learner: Learner, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self.laptop = Device("laptop", base_url)
        self.phone = Device("phone", base_url)
        self.results = Results()
        self._browser = Browser()
        self._till = Till(self.laptop, self._browser, base_url)
        self._learner = learner
        self._progress = progress
        self._email = f"mia.{uuid4().hex[:10]}@example.com"
        self._password = "marble-orchard-thunder"  # noqa: S105 (an account of this run alone)
        self._sheet: AnswerSheet | None = None
        self._in_flight: Document | None = None

    @property
    def last_exchange(self) -> Exchange | None:
        """What was sent and got last, on either device or in the browser."""
        all_of_them = (self.laptop.last, self.phone.last, self._browser.last)
        made = [each for each in all_of_them if each is not None]
        return max(made, key=lambda exchange: exchange.at, default=None)

    def close(self) -> None:
        """Give connections back."""
        for each in (self.laptop, self.phone, self._browser):
            each.close()

    # The account

    def sign_up(self) -> str:
        answer = self.laptop.post(
            "/api/auth/signup",
            {
                "email": self._email,
                "password": self._password,
                "first_name": "Mia",
                "last_name": "Okonkwo",
                "timezone": "Europe/Berlin",
            },
            expect=201,
        )
        self.laptop.token = answer["token"]
        return f"201 · {self._email}"

    def confirm_address(self) -> str:
        page = self.laptop.get("/_local/outbox")
        link = urlsplit(mailed_link(page, self._email, "VERIFY_EMAIL"))
        landing = self.laptop.get(f"{link.path}?{link.query}")
        token = parse_qs(link.query)["token"][0]
        answer = self.laptop.post(form_target(landing), {"token": token})
        check(answer["email_verified"] is True, "the address is not verified", self.laptop)
        return "200 · found in the outbox, address verified"

    def sign_in(self) -> str:
        self._log_in(self.laptop)
        me = self.laptop.get("/api/users/me")
        check(me["email_verified"] is True, "the address is not verified", self.laptop)
        check("exams" not in me["features"], "exams are open to everybody", self.laptop)
        return f"200 · {me['first_name']}, address verified; exams are not open to her yet"

    def buy(self) -> str:
        opened = self._till.checkout(PACK)
        self._till.pay(opened["url"], GOOD_CARD, name="Mia Okonkwo")
        me = await_answer(
            lambda: self.laptop.get("/api/users/me"),
            until=lambda found: "exams" in found["features"],
            seconds=PAYMENT_LIMIT_SECONDS,
            complaint="exams are not open",
            device=self.laptop,
            progress=self._progress,
        )
        check(me["email_verified"] is True, "the address is not verified", self.laptop)
        return "201 · paid on Stripe's page, back on ours; exams are open"

    # Exams

    def see_templates(self) -> str:
        offered = _by_slug(self.laptop.get("/api/exams/templates"))
        exam = offered[EXAM]
        scale = exam["scoring"]
        return (
            f"200 · {len(offered)}, one of {exam['items']} items in {exam['duration_minutes']} min"
            f" on a scale {scale['scale_minimum']} to {scale['scale_maximum']}"
        )

    def take_diagnostic(self) -> str:
        started = self.laptop.post("/api/exams/sessions", {"template": DIAGNOSTIC}, expect=201)
        sheet = AnswerSheet(started, self._learner)
        for item in sheet.items:
            sheet.save(self.laptop, sheet.write(item))
        done = self.laptop.post(sheet.path("/finalize"))
        check(done["status"] == "REVIEW", "it is not scored at once", self.laptop)
        self.results.diagnostic = self.laptop.get(sheet.path("/review"))
        return f"200 · scored at once: {done['score_percent']} %, {_verdict(done)}"

    def start_exam(self) -> str:
        key = {"Idempotency-Key": uuid4().hex}
        body = {"template": EXAM}
        first = self.laptop.post("/api/exams/sessions", body, expect=201, headers=key)
        again = self.laptop.post("/api/exams/sessions", body, expect=201, headers=key)
        check(first["id"] == again["id"], "two sessions were started", self.laptop)
        told = [item for item in first["items"] if item["solution"] or "key" in item["question"]]
        check(not told, "the form tells its keys", self.laptop)
        self._sheet = AnswerSheet(first, self._learner)
        return f"201 · one session, {first['item_count']} items, {_left(first)}, no keys"

    def autosave(self) -> str:
        sheet = self._running
        items = sheet.items[:BEFORE_THE_BREAK]
        for item in items[:CHANGED]:
            sheet.save(self.laptop, sheet.change(item, right=False))
        for item in items:
            sheet.save(self.laptop, sheet.write(item))
        stored = sheet.fetch(self.laptop)
        return f"200 · {len(items)} saved, {CHANGED} changed to revision 2, {_left(stored)}"

    def laptop_dies(self) -> str:
        sheet = self._running
        item = sheet.items[BEFORE_THE_BREAK]
        self._in_flight = item
        self.laptop.send_and_die(sheet.path("/responses"), sheet.write(item))
        return f"answer {BEFORE_THE_BREAK + 1} sent, connection cut, no reply read"

    def resume_on_phone(self) -> str:
        sheet = self._running
        self._log_in(self.phone)
        offered = _by_slug(self.phone.get("/api/exams/templates"))
        running = offered[EXAM]["running_session_id"]
        check(running == sheet.id, "the exam is not running", self.phone)
        session = sheet.fetch(self.phone, unsure=self._in_flight)
        saved = sum(item["response"] is not None for item in session["items"])
        return f"200 · same form, {saved} saved answers, {_left(session)}"

    def send_again(self) -> str:
        sheet = self._running
        if self._in_flight is None:
            raise NotTried("no answer was under way")
        saved = sheet.save(self.phone, sheet.body(self._in_flight))
        arrived = "it had arrived, and counts once" if saved["replayed"] else "it arrives now"
        return f"200 · revision {saved['revision']}: {arrived}"

    def stale_answer(self) -> str:
        sheet = self._running
        item = sheet.items[CHANGED]
        late = sheet.body(item)
        late["answer"] = self._learner.answer(item, right=not sheet.entry(item).known)
        newer = sheet.save(self.phone, sheet.again(item))["revision"]
        problem = self.laptop.refused("POST", sheet.path("/responses"), late, code="stale_revision")
        told = problem["response"]["revision"]
        check(told == newer, "the newer answer is not told", self.laptop)
        return f"409 stale_revision · the phone's revision {newer} stays"

    def answer_the_rest(self) -> str:
        sheet = self._running
        rest = sheet.unanswered
        for item in rest:
            sheet.save(self.phone, sheet.write(item))
        kinds = Counter(item["question"]["type"] for item in sheet.items)
        told = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())
        return f"200 · {len(rest)} more saved; the {len(sheet.items)} are {told}"

    def flag(self) -> str:
        sheet = self._running
        chosen = sheet.items[5 : 5 + FLAGS]
        for item in chosen:
            sheet.save(self.phone, sheet.again(item, flagged=True))
        sheet.save(self.phone, sheet.again(chosen[0], flagged=False))
        left = _flagged(sheet.fetch(self.phone))
        check(left == FLAGS - 1, f"{left} are flagged", self.phone)
        return f"200 · {FLAGS} flagged, one flag taken back, {left} left"

    def pause(self) -> str:
        sheet = self._running
        paused = self.phone.send("PATCH", sheet.path(), {"action": "pause"})
        check(paused["clock"]["paused"], "the clock runs on", self.phone)
        check(paused["items"] == [], "the questions can be read in the pause", self.phone)
        body = sheet.body(sheet.items[0])
        self.phone.refused("POST", sheet.path("/responses"), body, code="exam_paused")
        minutes = round(paused["clock"]["pause_left_seconds"] / 60)
        return f"200 · clock stopped, items hidden, {minutes} min of pause left; a save: 409"

    def resume(self) -> str:
        sheet = self._running
        resumed = self.phone.send("PATCH", sheet.path(), {"action": "resume"})
        check(not resumed["clock"]["paused"], "the clock stands still", self.phone)
        deadline = resumed["clock"]["deadline_at"]
        moved = (_time(deadline) - _time(sheet.deadline)).total_seconds()
        check(moved > 0, "the pause cost exam time", self.phone)
        kept = _flagged(sheet.fetch(self.phone)) == FLAGS - 1
        check(kept, "flags are missing", self.phone)
        return f"200 · deadline moved by {moved:.2f} s; answers and flags are there"

    def finalize(self) -> str:
        path = self._running.path("/finalize")
        done, again = self.phone.post(path), self.phone.post(path)
        check(done["submitted_at"] == again["submitted_at"], "submitted twice", self.phone)
        check(done["submitted_by"] == "LEARNER", "the clock submitted it", self.phone)
        return f"200 · {done['status']} once: {done['score_percent']} % raw"

    # After the exam

    def await_score(self) -> str:
        path = self._running.path("/review")
        run = self.phone.send("POST", f"/_local/crons/{SCORING_JOB}/run", expect=None)
        status = self.phone.last.status if self.phone.last else None
        check(status != FAILED, "the job failed", self.phone)
        review: Document = await_answer(
            lambda: self.phone.get(path),
            # The schedule's own run may have come first, and be under way.
            until=lambda found: found["scaled"]["score"] is not None,
            seconds=SCORING_LIMIT_SECONDS,
            complaint="no score",
            device=self.phone,
            progress=self._progress,
        )
        self.results.review = review
        scaled = review["scaled"]
        on_scale = scaled["minimum"] <= scaled["score"] <= scaled["maximum"]
        check(on_scale, "the score is off the scale", self.phone)
        told = f"{scaled['score']} ± {scaled['standard_error']:.0f}, {_verdict(review)}"
        return f"200 · {told}" + (f" (job: {run['result']})" if status == OK else "")

    def read_review(self) -> str:
        sheet = self._running
        review = self.phone.get(sheet.path("/review"))
        items = review["items"]
        explained = all(item["question"]["rationale"] for item in items)
        check(explained, "a rationale is missing", self.phone)
        check(review["items_flagged"] == FLAGS - 1, "flags are missing", self.phone)
        credit = sum(Decimal(item["credit"]) for item in items)
        check(credit == Decimal(review["score_raw"]), "credit is not the score", self.phone)
        known = {question_id for question_id, entry in sheet.entries.items() if entry.known}
        right = {item["question_id"] for item in items if item["is_correct"]}
        check(known <= right, "a right answer was graded wrong", self.phone)
        return (
            f"200 · {len(right)} of {len(items)} fully right, {credit:.1f} points;"
            " keys and rationales open"
        )

    def see_mastery(self) -> str:
        before = self.results.diagnostic["topics"] if self.results.diagnostic else ()
        earlier = {topic["slug"]: topic["mastery"] for topic in before}
        review = self.phone.get(self._running.path("/review"))
        told = []
        for topic in review["topics"]:
            mastery = topic["mastery"]
            known = mastery is not None and 0 <= mastery <= 1
            check(known, f"no mastery of {topic['name']}", self.phone)
            came_from = f"{earlier[topic['slug']]:.0%} → " if topic["slug"] in earlier else ""
            told.append(f"{topic['name']} {came_from}{mastery:.0%}")
        return "200 · " + "; ".join(told)

    def see_history(self) -> str:
        sessions: list[Document] = self.phone.get("/api/exams/sessions")["items"]
        self.results.sessions = sessions
        slugs = [session["template"] for session in sessions]
        check(slugs[:1] == [EXAM], "the newest does not come first", self.phone)
        check(sessions[0]["status"] == "REVIEW", "it is not scored here", self.phone)
        return f"200 · newest first: {', '.join(slugs)}"

    def late_answer(self) -> str:
        sheet = self._running
        before = self.phone.get(sheet.path("/review"))["score_raw"]
        body = sheet.again(sheet.items[0])
        self.phone.refused("POST", sheet.path("/responses"), body, code="exam_finished")
        after = self.phone.get(sheet.path("/review"))["score_raw"]
        check(after == before, "the score moved", self.phone)
        return (
            "409 exam_finished, score unchanged (a deadline that passes would take 15 minutes:"
            " the tests have it)"
        )

    # What the steps share

    @property
    def _running(self) -> AnswerSheet:
        if self._sheet is None:
            raise NotTried("no exam was started")
        return self._sheet

    def _log_in(self, device: Device) -> None:
        device.token = None
        credentials = {"email": self._email, "password": self._password}
        device.token = device.post("/api/auth/login", credentials)["token"]


STEPS = (
    Step("Signs up", Journey.sign_up),
    Step("Confirms the mailed link", Journey.confirm_address),
    Step("Signs in on the laptop", Journey.sign_in),
    Step("Buys the exam pack", Journey.buy),
    Step("Looks at the exams", Journey.see_templates),
    Step("Takes a short diagnostic", Journey.take_diagnostic),
    Step("Starts the exam, sent twice", Journey.start_exam),
    Step("Answers, saved one by one", Journey.autosave),
    Step("The laptop dies in a save", Journey.laptop_dies),
    Step("Goes on with the phone", Journey.resume_on_phone),
    Step("The phone sends it again", Journey.send_again),
    Step("The laptop wakes, too late", Journey.stale_answer),
    Step("Answers the rest", Journey.answer_the_rest),
    Step("Flags items", Journey.flag),
    Step("Pauses", Journey.pause),
    Step("Resumes", Journey.resume),
    Step("Finalizes, sent twice", Journey.finalize),
    Step("Gets the scaled score", Journey.await_score),
    Step("Reads the review", Journey.read_review),
    Step("Looks at mastery", Journey.see_mastery),
    Step("Looks at the history", Journey.see_history),
    Step("Answers after the end", Journey.late_answer),
)


def _by_slug(page: Document) -> dict[str, Document]:
    return {each["slug"]: each for each in page["items"]}


def _verdict(session: Document) -> str:
    return "passed" if session["passed"] else "not passed"


def _left(session: Document) -> str:
    minutes, seconds = divmod(session["clock"]["remaining_seconds"], 60)
    return f"{minutes}:{seconds:02} left"


def _flagged(session: Document) -> int:
    return sum(bool((item["response"] or {}).get("flagged")) for item in session["items"])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
