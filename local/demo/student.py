"""The steps of a course: what a student does from enrolment to certificate, and what has to come
back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from local.demo import markup
from local.demo.browser import Browser
from local.demo.client import Device, Exchange, form_target, mailed_link
from local.demo.learner import Document, Learner
from local.demo.player import Player
from local.demo.steps import NotTried, Step, await_answer, check
from local.demo.till import GOOD_CARD, Till
from studypack.billing.money import format_money

COURSE = "python-programming"
PLAN = "pro-basic-monthly"
DECIDING_JOB, SENDING_JOB = "cron.enqueue_emails", "cron.dispatch_emails"
EVENT_LIMIT_SECONDS = 20
MAIL_LIMIT_SECONDS = 30
REPORT_SECONDS = 2.5
"""Between two messages of the player while its viewer only watches."""
NAME = "Amira Haddad"
KNOWN_AT_FIRST = 4
"""One question in so many."""
_WRONG_CODE = "0000-0000-0000-0000"
_SECONDS_AN_ANSWER = 25


class Student:
    """A new learner who takes a whole course, and another one who is curious."""

    def __init__(
        self, base_url: str, learner: Learner, progress: Callable[[str], None] = lambda _: None
    ) -> None:
        self.page: Document | None = None
        """What the act came to, for the panel at the end: the course's page."""
        self.attempts: list[Document] = []
        self.certificate: Document | None = None
        self._progress = progress
        self._learner = learner
        self._base_url = base_url
        self._email = f"amira.{uuid4().hex[:10]}@example.com"
        self._laptop = Device("laptop", base_url)
        self._stranger = Device("stranger", base_url)
        self._browser = Browser()
        self._till = Till(self._laptop, self._browser, base_url)
        self._player: Player | None = None
        self._video: Document | None = None
        self._locked: Document | None = None

    @property
    def last_exchange(self) -> Exchange | None:
        """What was sent and got last, by whichever device."""
        player = self._player.last if self._player else None
        all_of_them = (self._laptop.last, self._stranger.last, self._browser.last, player)
        made = [each for each in all_of_them if each is not None]
        return max(made, key=lambda exchange: exchange.at, default=None)

    def close(self) -> None:
        """Give connections back."""
        for each in (self._laptop, self._stranger, self._browser, self._player):
            if each is not None:
                each.close()

    # In

    def sign_up(self) -> str:
        self._laptop.token = self._sign_up(self._laptop, self._email, *NAME.split())
        page = self._laptop.get("/_local/outbox")
        link = urlsplit(mailed_link(page, self._email, "VERIFY_EMAIL"))
        landing = self._laptop.get(f"{link.path}?{link.query}")
        token = parse_qs(link.query)["token"][0]
        answer = self._laptop.post(form_target(landing), {"token": token})
        check(answer["email_verified"] is True, "the address is not verified", self._laptop)
        return f"201 · {self._email}, address confirmed by the mailed link"

    def see_courses(self) -> str:
        courses = self._laptop.get("/api/courses")["items"]
        wanted = next((each for each in courses if each["slug"] == COURSE), None)
        check(wanted is not None, "the course is not on offer", self._laptop)
        page = self._load()
        check(page["percent"] == 0, "something is done already", self._laptop)
        lines = [lesson for module in page["modules"] for lesson in module["lessons"]]
        closed = [lesson for lesson in lines if lesson["lock"] is not None]
        check(
            bool(closed),
            "everybody may read it: this database has courses in `free_plan_features`"
            " (make clean-data begins anew)",
            self._laptop,
        )
        return (
            f"200 · {len(courses)} courses; {page['title']}: {len(page['modules'])} modules,"
            f" {len(lines)} lessons, {len(closed)} of them locked"
        )

    def enrol(self) -> str:
        path = f"/api/courses/{COURSE}/enrollment"
        first = self._laptop.post(path, expect=201)
        again = self._laptop.post(path)
        check(first["enrolled_at"] == again["enrolled_at"], "enrolled twice", self._laptop)
        return f"201, then 200 · {first['status']} once"

    # A free lesson, a locked one

    def open_free_lesson(self) -> str:
        line = self._next_lesson()
        check(line["is_free"] and line["kind"] == "VIDEO", "it is no free video", self._laptop)
        lesson = self._open(line["id"])
        video = lesson["video"]
        check(video is not None, "there is no video to watch", self._laptop)
        self._video = lesson
        self._player = Player(self._laptop, lesson)
        segments = self._player.start()
        self._player.fetch(video["thumbnail_url"])
        return (
            f"200 · {lesson['title']}: {len(lesson['html']):,} characters of html; its video plays"
            f" at double speed ({video['duration_seconds']} s, {segments} segments)"
        )

    def try_other_tokens(self) -> str:
        player, video = self._playing, self._needed_video["video"]
        bare = video["stream_url"].partition("?")[0]
        player.fetch(bare, expect=403)
        picture = video["tokens"]["thumbnail"]
        player.fetch(f"{bare}?token={picture}", expect=403)
        forged = video["tokens"]["playback"][:-8] + "AAAAAAAA"
        player.fetch(f"{bare}?token={forged}", expect=403)
        return "403 · without a token, with the picture's, with a forged one; it ends by itself"

    def meet_lock(self) -> str:
        lessons = [lesson for each in self._load()["modules"] for lesson in each["lessons"]]
        locked = [each for each in lessons if each["lock"] is not None]
        if not locked:
            raise NotTried("no lesson is locked here")
        self._locked = locked[0]
        problem = self._laptop.refused(
            "GET",
            f"/api/lessons/{self._locked['id']}",
            None,
            code="entitlement_required",
            status=402,
        )
        offers = [offer["sku"] for offer in problem["products"]]
        check(PLAN in offers, "the refusal does not name the plan", self._laptop)
        return f"402 · {self._locked['title']} would be open with {', '.join(offers[:3])}, ..."

    def subscribe(self) -> str:
        locked = self._locked
        if locked is None:
            raise NotTried("no lesson was locked")
        self._till.pay(self._till.checkout(PLAN)["url"], GOOD_CARD, name=NAME)
        self._await(
            lambda: self._laptop.send("GET", f"/api/lessons/{locked['id']}", expect=None),
            lambda _answer: self._laptop.last is not None and self._laptop.last.status == 200,
            "the lesson did not open",
        )
        held = self._laptop.get("/api/billing/subscription")["subscription"]
        price = format_money(held["price"]["amount"], held["price"]["currency"])
        return f"200 · {held['product']['name']}, {price}, paid on Stripe's page: it is open"

    # Watching

    def claim_too_early(self) -> str:
        player, path = self._playing, f"/api/lessons/{self._needed_video['id']}/progress"
        player.report()
        problem = self._laptop.refused(
            "POST", path, {"type": "complete"}, code="not_watched_enough"
        )
        watched, needed = problem["watched_seconds"], problem["needed_seconds"]
        return f"409 not_watched_enough · {watched} of {needed} s watched"

    def watch(self) -> str:
        player = self._playing
        state = await_answer(
            player.report,
            until=lambda told: bool(told["completed"]),
            seconds=player.seconds,
            complaint="the video does not count as watched",
            device=self._laptop,
            progress=self._progress,
            every=REPORT_SECONDS,
        )
        check(state["completed_now"], "it was completed before", self._laptop)
        return (
            f"200 · completed by watching: {state['watched_seconds']} of {player.seconds} s,"
            f" {state['needed_seconds']} needed"
        )

    # The first module

    def read_lessons(self) -> str:
        module = self._module(0)
        titles = self._complete_lessons(module)
        now = self._module(0)
        check(now["done"] == now["items"] - 1, "the quiz is not all that is left", self._laptop)
        check(now["status"] == "IN_PROGRESS", "it is complete without its quiz", self._laptop)
        return (
            f"200 · {len(titles)} opened and completed; {module['title']}: {now['done']} of"
            f" {now['items']} done, {now['percent']} %"
        )

    def fail_quiz(self) -> str:
        attempt = self._begin(self._module(0))
        again = self._laptop.post(f"/api/quizzes/{attempt['quiz_id']}/attempts")
        check(again["id"] == attempt["id"], "a second tab began another attempt", self._laptop)
        told = [item for item in attempt["items"] if item["solution"] is not None]
        check(not told, "the form tells its keys", self._laptop)
        done = self._answer(attempt, knows=lambda place: place % KNOWN_AT_FIRST == 0)
        check(done["passed"] is False, "that should not have been enough", self._laptop)
        twice = self._laptop.post(f"/api/quiz-attempts/{attempt['id']}/submit")
        check(twice["submitted_at"] == done["submitted_at"], "submitted twice", self._laptop)
        check(self._module(0)["status"] == "IN_PROGRESS", "failing completed it", self._laptop)
        return f"200 · {_score(done)}; keys and rationales open now"

    def read_analysis(self) -> str:
        if not self.attempts:
            raise NotTried("no quiz was taken")
        told = self._laptop.get(f"/api/quiz-attempts/{self.attempts[0]['id']}/analysis")
        check(bool(told["weak_topics"]), "no topic is called weak", self._laptop)
        check(bool(told["recommendations"]), "nothing is recommended", self._laptop)
        topics = ", ".join(
            f"{topic} {percent:g} %" for topic, percent in told["performance_breakdown"].items()
        )
        rule = told["time_management_rule"]
        return f"200 · {topics}: weak; time: {rule}; {told['recommendations'][0]['text']}"

    def pass_quiz(self) -> str:
        done = self._answer(self._begin(self._module(0)), knows=lambda _place: True)
        check(done["passed"] is True, "all was right, and it is not passed", self._laptop)
        module = self._module(0)
        check(module["status"] == "COMPLETED", "the module is not complete", self._laptop)
        return f"200 · {_score(done)}, {done['xp_awarded']} XP; {module['title']} COMPLETED"

    def get_module_mail(self) -> str:
        mail = self._mailed("MODULE_COMPLETE")
        title = self._module(0)["title"]
        check(title in mail["text"], "the mail names another module", self._laptop)
        page = self._browser.open(mail["link"])
        check(bool(page), "the mail's link leads nowhere", self._laptop)
        return f"in the mailbox · {mail['subject']}; its link opens {urlsplit(mail['link']).path}"

    # The rest, and what it comes to

    def finish_course(self) -> str:
        told = []
        for number in range(1, len(self._load()["modules"])):
            module = self._module(number)
            read = self._complete_lessons(module)
            done = self._answer(self._begin(module), knows=lambda place: place % 6 != 0)
            check(done["passed"] is True, "that should have been enough", self._laptop)
            told.append(f"{module['title']}: {len(read)} lessons, quiz {_percent(done)}")
        return f"200 · {'; '.join(told)}"

    def see_completion(self) -> str:
        page = self._load()
        enrollment = page["enrollment"]
        check(enrollment["status"] == "COMPLETED", "the course is not complete", self._laptop)
        check(page["percent"] == 100, "it is not at 100 %", self._laptop)
        next_one = self._laptop.get(f"/api/courses/{COURSE}/next-lesson")["lesson"]
        check(next_one is None, "there is something left", self._laptop)
        path = f"/api/lessons/{self._needed_video['id']}/progress"
        again = self._laptop.post(path, {"type": "complete"})
        anew = again["completed_now"] or again["module_completed"] or again["course_completed"]
        check(not anew, "completing it again counts twice", self._laptop)
        mine = self._laptop.get("/api/certificates")["items"]
        check(len(mine) == 1, "it is not one certificate", self._laptop)
        self.certificate = mine[0]
        same = mine[0]["code"] == enrollment["certificate_code"]
        check(same, "the course's page has another code", self._laptop)
        return f"200 · COMPLETED, 100 %, nothing left; certificate {mine[0]['code']}, once"

    def get_certificate(self) -> str:
        code = self._needed_certificate["code"]
        mail = self._mailed("CERTIFICATE")
        check(mail["link"].endswith(f"/certificates/{code}"), "another link", self._laptop)
        kind, paper = self._laptop.download(f"/api/certificates/{code}.pdf")
        is_pdf = kind.startswith("application/pdf") and paper.startswith(b"%PDF")
        check(is_pdf, "the certificate is no PDF", self._laptop)
        return f"in the mailbox · {mail['subject']}; {code}.pdf, {len(paper) / 1024:.0f} kB"

    def verify_certificate(self) -> str:
        given = self._needed_certificate
        page = markup.words(self._browser.open(f"{self._base_url}/certificates/{given['code']}"))
        named = NAME in page and given["code"] in page and "genuine" in page
        check(named, "the page does not say so", self._laptop)
        public = self._stranger.get(f"/api/certificates/{given['code']}")
        check(public["status"] == "VALID", "it does not hold", self._stranger)
        hidden = {"id", "user_id", "email"} & set(public)
        check(not hidden, f"{hidden} is told to everybody", self._stranger)
        self._stranger.refused(
            "GET",
            f"/api/certificates/{_WRONG_CODE}",
            None,
            code="certificate_not_found",
            status=404,
        )
        return f"200 · {public['recipient']}, {public['course']}: VALID; a wrong code: 404"

    def be_curious(self) -> str:
        if not self.attempts:
            raise NotTried("no quiz was taken")
        email = f"boris.{uuid4().hex[:10]}@example.com"
        self._stranger.token = self._sign_up(self._stranger, email, "Boris", "Lang")
        attempt = self.attempts[0]
        path = f"/api/quiz-attempts/{attempt['id']}"
        for rest in ("", "/analysis"):
            self._stranger.send("GET", f"{path}{rest}", expect=404)
        self._stranger.send("POST", f"{path}/submit", expect=404)
        mine = self._stranger.get("/api/certificates")["items"]
        check(not mine, "somebody else's certificate is listed", self._stranger)
        return "404 · another learner's attempt, its analysis, submitting it"

    # What the steps share

    def _sign_up(self, device: Device, email: str, first_name: str, last_name: str) -> str:
        body = {
            "email": email,
            "password": "walnut-ferry-blanket",
            "first_name": first_name,
            "last_name": last_name,
        }
        token: str = device.post("/api/auth/signup", body, expect=201)["token"]
        return token

    def _load(self) -> Document:
        page: Document = self._laptop.get(f"/api/courses/{COURSE}")
        self.page = page
        return page

    def _module(self, number: int) -> Document:
        module: Document = self._load()["modules"][number]
        return module

    def _next_lesson(self) -> Document:
        found: Document | None = self._laptop.get(f"/api/courses/{COURSE}/next-lesson")["lesson"]
        if found is None:
            raise NotTried("no lesson is left")
        return found

    def _open(self, lesson_id: str) -> Document:
        lesson: Document = self._laptop.get(f"/api/lessons/{lesson_id}")
        check(bool(lesson["html"]), "the lesson is empty", self._laptop)
        check("<script" not in lesson["html"], "the lesson has a script", self._laptop)
        self._laptop.post(f"/api/lessons/{lesson_id}/progress", {"type": "view"})
        return lesson

    def _complete_lessons(self, module: Document) -> list[str]:
        """Open and complete what is left of a module's lessons; their titles."""
        left = [lesson for lesson in module["lessons"] if not lesson["completed"]]
        for lesson in left:
            self._open(lesson["id"])
            path = f"/api/lessons/{lesson['id']}/progress"
            state = self._laptop.post(path, {"type": "complete"})
            check(state["completed_now"], "it is not completed", self._laptop)
        return [lesson["title"] for lesson in left]

    def _begin(self, module: Document) -> Document:
        quiz = next(each for each in module["other_items"] if each["kind"] == "QUIZ")
        path = f"/api/quizzes/{quiz['id']}/attempts"
        attempt: Document = self._laptop.post(path, expect=201)
        return attempt

    def _answer(self, attempt: Document, *, knows: Callable[[int], bool]) -> Document:
        """Answer every question of an attempt, right where they know, and submit it."""
        path = f"/api/quiz-attempts/{attempt['id']}"
        for place, item in enumerate(attempt["items"]):
            body = {
                "response": self._learner.answer(item, right=knows(place)),
                "revision": 1,
                "time_spent_seconds": _SECONDS_AN_ANSWER + place % 4 * 5,
            }
            self._laptop.send("PUT", f"{path}/answers/{item['question_id']}", body)
        done: Document = self._laptop.post(f"{path}/submit")
        self.attempts.append(done)
        return done

    def _mailed(self, template: str) -> Document:
        """The only such mail to the student, once it was sent; the jobs are run out of turn."""

        def ask() -> list[Document]:
            for job in (DECIDING_JOB, SENDING_JOB):  # refused while the schedule's own run is on
                self._laptop.send("POST", f"/_local/crons/{job}/run", expect=None)
            sent: list[Document] = self._laptop.get("/_local/mail.json")
            return [
                mail for mail in sent if (mail["to"], mail["template"]) == (self._email, template)
            ]

        found: list[Document] = await_answer(
            ask,
            until=bool,
            seconds=MAIL_LIMIT_SECONDS,
            complaint=f"no {template} was sent",
            device=self._laptop,
            progress=self._progress,
            every=1,
        )
        check(len(found) == 1, f"{template} was sent {len(found)} times", self._laptop)
        return found[0]

    def _await(self, ask: Callable[[], Any], until: Callable[[Any], bool], complaint: str) -> Any:
        return await_answer(
            ask,
            until=until,
            seconds=EVENT_LIMIT_SECONDS,
            complaint=complaint,
            device=self._laptop,
            progress=self._progress,
        )

    @property
    def _playing(self) -> Player:
        if self._player is None:
            raise NotTried("no video is playing")
        return self._player

    @property
    def _needed_video(self) -> Document:
        if self._video is None:
            raise NotTried("no video lesson was opened")
        return self._video

    @property
    def _needed_certificate(self) -> Document:
        if self.certificate is None:
            raise NotTried("there is no certificate")
        return self.certificate


STEPS = (
    Step("Signs up", Student.sign_up),
    Step("Looks at the courses", Student.see_courses),
    Step("Enrols, sent twice", Student.enrol),
    Step("Opens the free lesson", Student.open_free_lesson),
    Step("Tries other tokens", Student.try_other_tokens),
    Step("Opens a locked lesson", Student.meet_lock),
    Step("Subscribes to PRO Basic", Student.subscribe),
    Step("Claims to have watched", Student.claim_too_early),
    Step("Watches to the end", Student.watch),
    Step("Reads the module's lessons", Student.read_lessons),
    Step("Takes the quiz, too early", Student.fail_quiz),
    Step("Reads the analysis", Student.read_analysis),
    Step("Takes it again", Student.pass_quiz),
    Step("Gets a mail: module complete", Student.get_module_mail),
    Step("Finishes the other modules", Student.finish_course),
    Step("Has completed the course", Student.see_completion),
    Step("Gets the certificate", Student.get_certificate),
    Step("Somebody verifies it", Student.verify_certificate),
    Step("Somebody else is curious", Student.be_curious),
)


def _percent(attempt: Document) -> str:
    return f"{float(attempt['score_percentage']):g} %"


def _score(attempt: Document) -> str:
    verdict = "passed" if attempt["passed"] else "not passed"
    return f"{_percent(attempt)} with {attempt['passing_score']} needed: {verdict}"
