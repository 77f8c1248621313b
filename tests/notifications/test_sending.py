from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from studypack.core.business_settings import forget_business_settings, set_business_setting
from studypack.core.config import ConfigurationError, get_settings
from studypack.core.database import transaction
from studypack.core.ids import uuid7
from studypack.integrations.email import Provider, Quota
from studypack.integrations.email.ses import Ses
from studypack.lifecycle.queue import retry
from studypack.notifications.claiming import claim
from studypack.notifications.models import EmailStatus
from studypack.notifications.preparing import Ready, Settled, open_desk, prepare
from studypack.notifications.recording import Outcome, step
from studypack.notifications.sending import Figures, send_due
from tests.support.concurrency import bystander, terminate_connections
from tests.support.mail_queue import (
    LATER,
    NOW,
    address_of,
    broadcast,
    change,
    change_mail,
    decisions,
    lift,
    log,
    queue,
    reader,
    row,
    set_broadcast,
    suppress,
    switch_off,
)
from tests.support.ses_standin import (
    BREAK_DOWN,
    FALL_SILENT,
    REJECT,
    TAKE,
    TAKE_AND_FALL_SILENT,
    THROTTLE,
    UNAVAILABLE,
    Answer,
    SesStandIn,
)


def send(provider: Provider | None = None, *, now: datetime = NOW, **given: Any) -> Figures:
    return send_due(
        provider or Ses(),
        clock=lambda: now,
        sleep=given.pop("sleep", lambda _seconds: None),
        jitter=given.pop("jitter", lambda: 0.5),
        **given,
    )


class Crash(BaseException):
    """What a kill looks like from within."""


class Wrapped:
    """SES with something before and after each call."""

    def __init__(
        self,
        before: Callable[[str], None] = lambda _to: None,
        after: Callable[[str], None] = lambda _to: None,
    ) -> None:
        self.ses = Ses()
        self.before = before
        self.after = after

    def quota(self) -> Quota | None:
        return self.ses.quota()

    def send(self, raw: bytes, *, to: str, tags: Mapping[str, str]) -> str:
        self.before(to)
        provider_id = self.ses.send(raw, to=to, tags=tags)
        self.after(to)
        return provider_id


def crash(_to: str) -> None:
    raise Crash


# What is sent, and in which order


def test_a_mail_that_is_due_is_sent_once_and_logged(ses: SesStandIn) -> None:
    user = reader("Ada@example.com")
    mail = queue(user)

    figures = send()

    assert (figures.sent, figures.is_complete, figures.stopped) == (1, True, None)
    [taken] = ses.taken
    assert (taken.to, taken.tags) == (
        "Ada@example.com",
        {"template": "PASSWORD_CHANGED", "email_id": str(mail)},
    )
    queued = row(mail)
    assert (queued["status"], queued["attempts"], queued["processed_at"]) == ("SENT", 1, NOW)
    assert (queued["lease_id"], queued["leased_until"], queued["sending_since"]) == (None,) * 3
    [tried] = log(mail)
    assert (tried["status"], tried["attempt"], tried["may_be_duplicate"]) == ("SENT", 1, False)
    assert tried["provider_message_id"] == taken.provider_id
    assert tried["message_id"] == taken.message["Message-ID"]
    assert (tried["to_address"], tried["sent_at"]) == ("Ada@example.com", NOW)
    assert tried["subject"] == taken.message["Subject"]
    assert send().sent == 0
    assert len(ses.taken) == 1


def test_what_is_not_due_yet_waits(ses: SesStandIn) -> None:
    mail = queue(reader(), scheduled_for=NOW + timedelta(seconds=1))

    assert send().is_complete
    assert ses.taken == []
    assert send(now=NOW + timedelta(seconds=1)).sent == 1
    assert row(mail)["status"] == "SENT"


def test_urgent_mails_go_first_and_then_those_that_wait_longest(ses: SesStandIn) -> None:
    due = [NOW - timedelta(minutes=minutes) for minutes in (1, 9, 5)]
    users = [
        *(reader(f"later{number}@example.com") for number in range(3)),
        *(reader(f"urgent{number}@example.com") for number in range(2)),
    ]
    for user, at in zip(users[:3], due, strict=True):
        queue(user, scheduled_for=at)
    queue(users[3], is_urgent=True)
    queue(users[4], is_urgent=True, scheduled_for=due[0])

    assert send(batch=4).sent == 5

    assert [each.to.partition("@")[0] for each in ses.taken] == [
        "urgent1",
        "urgent0",
        "later1",
        "later2",
        "later0",
    ]


def test_a_mail_goes_to_the_address_that_the_row_names(ses: SesStandIn) -> None:
    queue(reader(), to_address="new@example.com")

    send()

    assert [each.to for each in ses.taken] == ["new@example.com"]


def test_a_link_with_a_token_is_blanked_when_the_mail_was_sent_and_kept_until_then(
    ses: SesStandIn,
) -> None:
    link = "https://app.example.com/verify-email?token=abc"
    mail = queue(reader(is_verified=False), "VERIFY_EMAIL", data={"link": link, "other": 1})
    ses.answers(UNAVAILABLE)

    send()
    assert row(mail)["data"]["link"] == link
    send(now=NOW + timedelta(hours=1))

    assert link in ses.taken[0].message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert row(mail)["data"] == {"other": 1}


def test_a_mail_costs_one_statement_and_a_batch_two_more(
    ses: SesStandIn, statements: Callable[[], list[str]]
) -> None:
    for _ in range(7):
        queue(reader())
    send(ids=[])  # settings
    statements()

    assert send(batch=10, has_time=iter([True] * 8 + [False]).__next__).sent == 7

    assert len(statements()) == 7 + 2  # the claim, and the last mail's record


def test_only_named_mails_are_sent_when_some_are_named(ses: SesStandIn) -> None:
    mails = [queue(reader()) for _ in range(3)]

    assert send(ids=mails[1:2]).sent == 1
    assert [row(mail)["status"] for mail in mails] == ["PENDING", "SENT", "PENDING"]


def test_a_run_without_time_left_gives_back_what_it_claimed(ses: SesStandIn) -> None:
    mails = [queue(reader()) for _ in range(3)]

    figures = send(has_time=iter([True, True, False, False]).__next__)

    assert (figures.sent, figures.is_complete) == (1, False)
    rows = [row(mail) for mail in mails]
    assert sorted(each["status"] for each in rows) == ["PENDING", "PENDING", "SENT"]
    assert {each["lease_id"] for each in rows} == {None}
    assert send().sent == 2


def test_without_the_key_of_its_links_nothing_is_claimed(
    ses: SesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = queue(reader())
    monkeypatch.delenv("MAIL_TOKEN_KEY")
    get_settings.cache_clear()

    with pytest.raises(ConfigurationError, match="MAIL_TOKEN"):
        send()
    assert row(mail)["lease_id"] is None


# What may not be sent (any more)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("PASSWORD_CHANGED", "bounced"),
        ("START_JOURNEY", "bounced"),
    ],
)
def test_an_address_that_was_suppressed_after_the_mail_was_queued_gets_nothing(
    ses: SesStandIn, template: str, reason: str
) -> None:
    user = reader("Gone@example.com")
    mail = queue(user, template, data=JOURNEY | {"link": "x"})
    suppress("gone@EXAMPLE.com")

    figures = send()

    assert (figures.sent, figures.cancelled, ses.offered.total()) == (0, 1, 0)
    queued = row(mail)
    assert (queued["status"], queued["status_reason"]) == ("CANCELLED", reason)
    assert (queued["lease_id"], queued["processed_at"]) == (None, NOW)
    assert "link" not in queued["data"]
    assert decisions(user) == [(template, "CANCEL", reason)]


JOURNEY = {
    "course_title": "Python",
    "lesson_title": "Names",
    "lesson_id": "01936c5e-0000-7000-8000-000000000001",
}


def _complains(user: Any) -> None:
    suppress(address_of(user), "COMPLAINT")


def _unsubscribes(user: Any) -> None:
    suppress(address_of(user), "UNSUBSCRIBE", "MARKETING")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda user: change(user, marketing_opt_out=True), "opted_out"),
        (lambda user: change(user, is_active=False), "account_closed"),
        (lambda user: change(user, deleted_at=NOW), "account_closed"),
        (lambda user: change(user, email_verified_at=None), "unverified"),
        (_complains, "complained"),
        (_unsubscribes, "category_off"),
    ],
)
def test_marketing_stays_away_from_who_does_not_want_it_since(
    ses: SesStandIn, happens: Callable[[Any], None], reason: str
) -> None:
    user = reader()
    mail = queue(user, "START_JOURNEY", data=JOURNEY)
    happens(user)

    assert send().cancelled == 1
    assert row(mail)["status_reason"] == reason
    assert ses.taken == []


def test_what_changes_between_claim_and_sending_is_looked_at_again(ses: SesStandIn) -> None:
    first, second = reader("a@example.com"), reader("b@example.com")
    queue(first, scheduled_for=NOW - LATER)
    late = queue(second)

    figures = send(Wrapped(after=lambda to: suppress("b@example.com")))

    assert (figures.sent, figures.passed_over, figures.cancelled) == (1, 1, 1)
    assert [each.to for each in ses.taken] == ["a@example.com"]
    assert row(late)["status_reason"] == "bounced"


def test_who_switches_a_category_off_between_claim_and_sending_gets_none_of_it(
    ses: SesStandIn,
) -> None:
    queue(reader("a@example.com"), scheduled_for=NOW - LATER)
    user = reader("b@example.com")
    late = queue(user, "INACTIVE_NUDGE")

    figures = send(Wrapped(after=lambda _to: switch_off(user, "REMINDERS")))

    assert (figures.sent, figures.passed_over, figures.cancelled) == (1, 1, 1)
    assert row(late)["status_reason"] == "category_off"


def test_one_suppression_in_anothers_place_is_a_change_too(ses: SesStandIn) -> None:
    queue(reader("a@example.com"), scheduled_for=NOW - LATER)
    suppress("b@example.com", "COMPLAINT")
    late = queue(reader("b@example.com"))

    def bounces(_to: str) -> None:
        lift("b@example.com")
        suppress("b@example.com")

    send(Wrapped(after=bounces))

    assert [each.to for each in ses.taken] == ["a@example.com"]
    assert row(late)["status_reason"] == "bounced"


def test_a_stopped_broadcast_sends_nothing_more_however_much_of_it_is_queued(
    ses: SesStandIn,
) -> None:
    news = broadcast()
    first, *others = [
        queue(reader(), "BROADCAST", data=NEWS, broadcast_id=news, scheduled_for=NOW - LATER * each)
        for each in (3, 2, 1)
    ]
    own = queue(reader())

    send(Wrapped(after=lambda _to: set_broadcast(news, "STOPPED")))

    assert row(first)["status"] == "SENT"
    assert [row(mail)["status_reason"] for mail in others] == ["broadcast_stopped"] * 2
    assert row(own)["status"] == "SENT"
    assert len(ses.taken) == 2


def test_a_mail_of_a_broadcast_that_has_ended_can_still_be_sent(ses: SesStandIn) -> None:
    late = queue(reader(), "BROADCAST", data=NEWS, broadcast_id=broadcast("SENT"))

    assert send().sent == 1
    assert row(late)["status"] == "SENT"


@pytest.mark.parametrize(
    ("template", "hours", "status"),
    [
        ("RESET_PASSWORD", 0.9, "SENT"),
        ("RESET_PASSWORD", 1.1, "CANCELLED"),
        ("VERIFY_EMAIL", 47, "SENT"),
        ("VERIFY_EMAIL", 49, "CANCELLED"),
    ],
)
def test_a_link_that_an_outage_outlasted_is_not_sent_any_more(
    ses: SesStandIn, template: str, hours: float, status: str
) -> None:
    link = "https://app.example.com/x?token=y"
    user = reader()
    mail = queue(user, template, data={"link": link}, created_at=NOW - timedelta(hours=hours))

    send()

    queued = row(mail)
    assert (queued["status"], queued["data"]) == (status, {})
    if status == "CANCELLED":
        assert decisions(user) == [(template, "CANCEL", "link_expired")]


NEWS = {"subject": "News", "body": "Hello."}


def test_a_mail_that_is_cancelled_while_it_waits_in_a_batch_is_not_sent(ses: SesStandIn) -> None:
    queue(reader(), scheduled_for=NOW - LATER)
    late = queue(reader())

    send(Wrapped(after=lambda _to: change_mail(late, status="CANCELLED")))

    assert len(ses.taken) == 1
    assert row(late)["status"] == "CANCELLED"


def test_a_mail_that_is_cancelled_while_it_is_sent_counts_as_sent(ses: SesStandIn) -> None:
    mail = queue(reader())

    send(Wrapped(after=lambda _to: change_mail(mail, status="CANCELLED")))

    assert row(mail)["status"] == "SENT"


def test_marketing_waits_for_the_end_of_its_readers_quiet_hours(ses: SesStandIn) -> None:
    user = reader(timezone="Asia/Tokyo")  # 21:00 there
    mail = queue(user, "START_JOURNEY", data=JOURNEY)

    assert send().deferred == 1

    queued = row(mail)
    morning = NOW + timedelta(hours=11)
    assert (queued["status"], queued["scheduled_for"]) == ("PENDING", morning)
    assert (queued["lease_id"], queued["attempts"], queued["data"]) == (None, 0, JOURNEY)
    assert decisions(user) == [("START_JOURNEY", "DEFER", "quiet_hours")]
    assert send(now=morning).sent == 1


def test_a_week_brings_nobody_more_marketing_than_the_setting_says_not_even_in_one_batch(
    ses: SesStandIn,
) -> None:
    user = reader()
    first = queue(user, "START_JOURNEY", data=JOURNEY, scheduled_for=NOW - timedelta(days=2))
    send(now=NOW - timedelta(days=2))
    later = [
        queue(user, "START_JOURNEY", data=JOURNEY, scheduled_for=NOW - timedelta(seconds=10 - each))
        for each in range(4)
    ]

    figures = send()

    assert (figures.sent, figures.deferred) == (2, 2)
    assert row(first)["status"] == "SENT"
    assert [row(mail)["status"] for mail in later] == ["SENT", "SENT", "PENDING", "PENDING"]
    assert row(later[2])["scheduled_for"] == NOW - timedelta(days=2) + timedelta(days=7)
    assert decisions(user) == [("START_JOURNEY", "DEFER", "weekly_limit")] * 2


# Crashes


def test_a_crash_between_marking_and_sending_ends_in_a_mail_that_may_be_a_duplicate(
    ses: SesStandIn, log: Callable[[], str]
) -> None:
    mail = queue(reader())

    with pytest.raises(Crash):
        send(Wrapped(before=crash))

    assert row(mail)["sending_since"] == NOW
    assert send().sent == 0, "under its lease nobody else may touch it"
    figures = send(now=NOW + LATER)
    assert (figures.sent, figures.uncertain, len(ses.taken)) == (1, 1, 1)
    [tried] = _log(mail)
    assert (tried["may_be_duplicate"], tried["attempt"]) == (True, 2)
    assert f'"email_id":"{mail}"' in log().replace('": "', '":"')


_log = log


def test_a_crash_between_sending_and_recording_sends_this_mail_twice_and_no_other(
    ses: SesStandIn,
) -> None:
    users = [reader(f"{number}@example.com") for number in range(4)]
    mails = [
        queue(user, scheduled_for=NOW - timedelta(minutes=9 - number))
        for number, user in enumerate(users)
    ]

    with pytest.raises(Crash):
        send(Wrapped(after=lambda to: crash(to) if to == "1@example.com" else None))
    send(now=NOW + LATER)

    assert [len(ses.to(address_of(user))) for user in users] == [1, 2, 1, 1]
    assert [[each["may_be_duplicate"] for each in log(mail)] for mail in mails] == [
        [False],
        [True],
        [False],
        [False],
    ]
    first, second = ses.to("1@example.com")
    assert first.message["Message-ID"] == second.message["Message-ID"]


def test_a_mail_that_kills_every_worker_is_given_up_in_the_end(ses: SesStandIn) -> None:
    mail = queue(reader())
    now = NOW
    for _ in range(6):
        with pytest.raises(Crash):
            send(Wrapped(before=crash), now=now)
        now += LATER

    assert send(now=now).failed == 1
    queued = row(mail)
    assert (queued["status"], queued["status_reason"]) == ("FAILED", "gave_up")
    assert ses.taken == []


def test_who_comes_back_after_the_lease_ran_out_sends_nothing_that_another_has_taken_over(
    ses: SesStandIn,
) -> None:
    users = [reader(f"{number}@example.com") for number in range(3)]
    mails = [
        queue(user, scheduled_for=NOW - timedelta(minutes=9 - number))
        for number, user in enumerate(users)
    ]
    others: list[Figures] = []

    def be_overtaken(_to: str) -> None:
        if not others:
            others.append(send(now=NOW + LATER))

    figures = send(Wrapped(after=be_overtaken))

    assert (others[0].sent, others[0].uncertain) == (3, 1)
    # Two tries of the first: the one that nobody had heard of, and the one that took it over.
    assert (figures.sent, figures.passed_over) == (1, 2)
    assert [len(ses.to(address_of(user))) for user in users] == [2, 1, 1]
    assert [row(mail)["status"] for mail in mails] == ["SENT"] * 3
    assert sorted(each["may_be_duplicate"] for each in log(mails[0])) == [False, True]


def test_a_result_that_comes_late_keeps_the_one_who_took_over_from_sending(ses: SesStandIn) -> None:
    mail = queue(reader())
    other = uuid7()
    taken_over: list[Ready | Settled] = []

    def be_overtaken(_to: str) -> None:
        claimed = claim(other, size=1, now=NOW + LATER)
        taken_over.extend(prepare(claimed, open_desk(), now=NOW + LATER))

    assert send(Wrapped(after=be_overtaken)).sent == 1

    [ready] = taken_over
    assert isinstance(ready, Ready)
    assert row(mail)["status"] == "SENT"
    assert not step(other, mark=ready, now=NOW + LATER)


def test_a_database_that_hangs_up_while_a_mail_is_sent_costs_no_second_mail(
    ses: SesStandIn, database_url: str
) -> None:
    mails = [queue(reader()) for _ in range(3)]

    with bystander(database_url) as engine:
        figures = send(Wrapped(after=lambda _to: terminate_connections(engine) and None))

    assert (figures.sent, len(ses.taken)) == (3, 3)
    assert {row(mail)["status"] for mail in mails} == {"SENT"}


def test_a_result_that_is_written_twice_counts_once(ses: SesStandIn) -> None:
    mail = queue(reader())
    lease = uuid7()
    [ready] = prepare(claim(lease, size=1, now=NOW), open_desk(), now=NOW)
    assert isinstance(ready, Ready)
    assert step(lease, mark=ready, now=NOW)
    outcome = Outcome(ready, EmailStatus.SENT, provider_message_id="m1")

    for _ in range(2):
        step(lease, before=outcome, now=NOW)

    assert (row(mail)["attempts"], len(log(mail))) == (1, 1)


def test_no_result_makes_a_sent_mail_unsent(ses: SesStandIn) -> None:
    mail = queue(reader())
    lease = uuid7()
    [ready] = prepare(claim(lease, size=1, now=NOW), open_desk(), now=NOW)
    assert isinstance(ready, Ready)
    step(lease, before=Outcome(ready, EmailStatus.SENT), now=NOW)

    step(lease, before=Outcome(ready, EmailStatus.FAILED, "refused", reason="refused"), now=NOW)

    assert row(mail)["status"] == "SENT"


@pytest.mark.usefixtures("wide_pool")
def test_two_dispatchers_at_once_share_the_mails(ses: SesStandIn) -> None:
    users = [reader() for _ in range(12)]
    for user in users:
        queue(user)
    both_send = threading.Barrier(2)
    met = threading.local()

    def meet(_to: str) -> None:
        if not getattr(met, "done", False):
            met.done = True
            both_send.wait(20)

    figures: list[Figures] = []

    def dispatch() -> None:
        figures.append(send(Wrapped(before=meet), batch=3))

    threads = [threading.Thread(target=dispatch) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(each.sent for each in figures) == 12
    assert all(each.sent >= 3 for each in figures)
    assert sorted(each.to for each in ses.taken) == sorted(address_of(user) for user in users)


# What SES answers


def test_a_mail_that_is_refused_for_good_is_never_offered_again(ses: SesStandIn) -> None:
    user = reader()
    mail = queue(user)
    ses.answer = lambda _to: REJECT

    assert send().failed == 1
    send(now=NOW + timedelta(days=1))

    assert ses.offered == {address_of(user): 1}
    queued = row(mail)
    assert (queued["status"], queued["status_reason"]) == ("FAILED", "content_refused")
    [tried] = log(mail)
    assert (tried["status"], tried["error"]) == ("FAILED", "content_refused")


@pytest.mark.parametrize(
    ("answer", "code", "is_doubtful"),
    [
        (UNAVAILABLE, "provider_error", False),
        (BREAK_DOWN, "provider_error", True),
        (FALL_SILENT, "no_answer", True),
        (TAKE_AND_FALL_SILENT, "no_answer", True),
    ],
)
def test_a_mail_that_ses_fails_at_is_tried_again_and_says_whether_it_may_have_been_sent(
    ses: SesStandIn, answer: Answer, code: str, is_doubtful: bool
) -> None:
    mail = queue(reader())
    ses.answers(answer)

    figures = send()

    assert (figures.retried, figures.is_complete) == (1, True)
    queued = row(mail)
    assert (queued["status"], queued["attempts"], queued["last_error"]) == ("PENDING", 1, code)
    assert queued["scheduled_for"] == NOW + timedelta(seconds=15)
    assert (queued["lease_id"], queued["sending_since"]) == (None, NOW if is_doubtful else None)
    assert send(now=NOW + timedelta(seconds=14)).sent == 0
    assert send(now=NOW + timedelta(seconds=15)).sent == 1
    first, second = log(mail)
    assert (first["status"], first["error"], first["attempt"]) == ("PENDING", code, 1)
    assert (second["status"], second["attempt"]) == ("SENT", 2)
    assert second["may_be_duplicate"] is is_doubtful
    assert len(ses.taken) == 1 + answer.takes


def test_a_doubt_stays_until_the_mail_is_sent(ses: SesStandIn) -> None:
    mail = queue(reader())
    ses.answers(FALL_SILENT, UNAVAILABLE)

    for hours in range(3):
        send(now=NOW + timedelta(hours=hours))

    assert [each["may_be_duplicate"] for each in log(mail)] == [False, True, True]


def test_a_mail_is_given_up_after_as_many_tries_as_the_setting_says(ses: SesStandIn) -> None:
    with transaction() as session:
        set_business_setting(session, "mail_attempts", 3)
    mail = queue(reader(), data={"link": "https://app.example.com/x"})
    ses.answer = lambda _to: BREAK_DOWN

    for day in range(5):
        send(now=NOW + timedelta(days=day))
    forget_business_settings()

    queued = row(mail)
    assert (queued["status"], queued["status_reason"]) == ("FAILED", "gave_up")
    assert (queued["attempts"], queued["last_error"], queued["data"]) == (3, "provider_error", {})
    assert [each["status"] for each in log(mail)] == ["PENDING", "PENDING", "FAILED"]
    assert ses.offered.total() == 3


def test_a_mail_that_was_given_up_without_an_answer_keeps_its_doubt(ses: SesStandIn) -> None:
    with transaction() as session:
        set_business_setting(session, "mail_attempts", 1)
    unanswered = queue(reader(), scheduled_for=NOW - LATER)
    refused = queue(reader())
    ses.answers(FALL_SILENT, REJECT)

    send()

    assert [row(mail)["status"] for mail in (unanswered, refused)] == ["FAILED", "FAILED"]
    assert row(unanswered)["sending_since"] == NOW
    assert row(refused)["sending_since"] is None
    with transaction() as session:
        retry(session, unanswered, by=uuid7(), now=NOW)
    ses.answers(TAKE)
    send()
    forget_business_settings()
    assert sorted(each["may_be_duplicate"] for each in log(unanswered)) == [False, True]


def test_throttling_slows_a_run_down_and_costs_a_mail_nothing(ses: SesStandIn) -> None:
    mails = [queue(reader()) for _ in range(3)]
    ses.answers(THROTTLE, THROTTLE, TAKE, THROTTLE, TAKE)
    slept: list[float] = []

    figures = send(sleep=slept.append)

    assert (figures.sent, figures.throttled, figures.stopped) == (3, 3, None)
    assert len(slept) >= 3
    assert [row(mail)["attempts"] for mail in mails] == [1, 1, 1]
    assert sum(len(log(mail)) for mail in mails) == 3


def test_a_run_ends_when_throttling_persists_and_leaves_every_mail_as_it_was(
    ses: SesStandIn,
) -> None:
    mails = [queue(reader()) for _ in range(3)]
    ses.answer = lambda _to: THROTTLE

    figures = send()

    assert (figures.sent, figures.stopped, figures.is_operators_fault) == (0, "throttled", False)
    assert figures.unsent == set(mails)
    assert ses.offered.total() == 5
    rows = [row(mail) for mail in mails]
    assert {(each["status"], each["attempts"], each["lease_id"]) for each in rows} == {
        ("PENDING", 0, None)
    }
    assert {each["sending_since"] for each in rows} == {None}
    assert [log(mail) for mail in mails] == [[], [], []]
    ses.answer = lambda _to: TAKE
    assert send().sent == 3


NOT_VERIFIED = (
    "Email address is not verified. The following identities failed the check in region"
    " EU-CENTRAL-1: {}"
)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(400, "SendingPausedException"), "sending_paused"),
        (Answer(400, "AccountSuspendedException"), "account_suspended"),
        (Answer(400, "MailFromDomainNotVerifiedException"), "sender_not_verified"),
        (
            Answer(400, "MessageRejected", NOT_VERIFIED.format("hello@studypack.example")),
            "sender_not_verified",
        ),
        (Answer(404, "NotFoundException"), "configuration_set_missing"),
        (Answer(403, "AccessDeniedException"), "access_denied"),
    ],
)
def test_a_fault_of_the_operators_stops_the_run_and_fails_no_mail(
    ses: SesStandIn, answer: Answer, code: str
) -> None:
    mails = [queue(reader()) for _ in range(2)]
    ses.answer = lambda _to: answer

    figures = send()

    assert (figures.stopped, figures.is_operators_fault, figures.failed) == (code, True, 0)
    assert ses.offered.total() == 1
    rows = [row(mail) for mail in mails]
    assert {(each["status"], each["attempts"], each["lease_id"]) for each in rows} == {
        ("PENDING", 0, None)
    }
    ses.answer = lambda _to: TAKE
    assert send().sent == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(400, "BadRequestException"), "address_refused"),
        (Answer(400, "SomethingNewException"), "refused"),
        (
            Answer(400, "MessageRejected", NOT_VERIFIED.format("reader@example.com")),
            "recipient_not_verified",
        ),
    ],
)
def test_what_is_wrong_with_one_mail_stops_no_other(
    ses: SesStandIn, answer: Answer, code: str
) -> None:
    wrong = queue(reader(), scheduled_for=NOW - LATER)
    queue(reader())
    ses.answers(answer)

    figures = send()

    assert (figures.sent, figures.failed, figures.stopped) == (1, 1, None)
    assert row(wrong)["status_reason"] == code


def test_nothing_is_claimed_while_the_account_may_not_send(ses: SesStandIn) -> None:
    mail = queue(reader())
    ses.account["SendingEnabled"] = False

    figures = send()

    assert (figures.stopped, figures.is_operators_fault) == ("sending_paused", True)
    assert row(mail)["lease_id"] is None


def test_no_more_is_sent_in_a_day_than_the_account_may(ses: SesStandIn) -> None:
    for _ in range(4):
        queue(reader(), is_urgent=True)
    ses.account["SendQuota"] |= {"Max24HourSend": 50_000.0, "SentLast24Hours": 49_997.0}

    figures = send()

    assert (figures.sent, figures.stopped) == (3, "quota_used_up")
    assert figures.is_operators_fault, "links to sign in wait: somebody has to look"
    assert ses.offered.total() == 3


def test_the_last_tenth_of_a_days_quota_is_kept_for_urgent_mails(ses: SesStandIn) -> None:
    others = [queue(reader(), scheduled_for=NOW - LATER) for _ in range(3)]
    urgent = [queue(reader(), is_urgent=True) for _ in range(2)]
    ses.account["SendQuota"] |= {"Max24HourSend": 100.0, "SentLast24Hours": 88.0}

    figures = send()

    # 12 are left, 10 of them reserved.
    assert (figures.sent, figures.stopped) == (4, "quota_reserved")
    assert not figures.is_operators_fault
    assert [row(mail)["status"] for mail in urgent] == ["SENT", "SENT"]
    assert sorted(row(mail)["status"] for mail in others) == ["PENDING", "SENT", "SENT"]
    more = [queue(reader(), is_urgent=True) for _ in range(2)]
    assert send(ids=more).sent == 2


def test_a_run_is_complete_when_nothing_waits_for_the_reserved_quota(ses: SesStandIn) -> None:
    queue(reader(), is_urgent=True)
    ses.account["SendQuota"] |= {"Max24HourSend": 100.0, "SentLast24Hours": 95.0}

    figures = send()

    assert (figures.sent, figures.stopped, figures.is_complete) == (1, None, True)


def test_mails_keep_to_the_rate_that_the_account_has(ses: SesStandIn) -> None:
    for _ in range(6):
        queue(reader())
    ses.account["SendQuota"]["MaxSendRate"] = 2.0
    slept: list[float] = []

    assert send(share=0.5, sleep=slept.append).sent == 6

    # One at once, then one a second: each waits until its second has come.
    assert len(slept) == 5
    assert slept[-1] == pytest.approx(5, abs=1)


def test_a_quota_that_is_not_told_is_no_reason_to_be_silent(ses: SesStandIn) -> None:
    queue(reader())
    ses.account_answer = Answer(500, "InternalFailure")

    assert send().sent == 1


def test_an_ses_that_cannot_be_reached_costs_a_try_without_a_doubt(
    ses: SesStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studypack.core import aws

    mail = queue(reader())
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    aws.client.cache_clear()

    assert send().retried == 1
    queued = row(mail)
    assert (queued["last_error"], queued["sending_since"]) == ("unreachable", None)


# What cannot be made into a mail


@pytest.mark.parametrize(
    ("template", "data", "to_address", "reason"),
    [
        ("RESET_PASSWORD", {}, None, "facts_missing"),
        ("RESET_PASSWORD", {"link": "javascript:alert(1)"}, None, "render_failed"),
        ("PASSWORD_CHANGED", {}, "x@example.com\r\nBcc: y@example.com", "address_invalid"),
        ("PASSWORD_CHANGED", {}, "ünicode@example.com", "address_invalid"),
        ("PASSWORD_CHANGED", {}, "a@example.com, b@example.com", "address_invalid"),
    ],
)
def test_a_mail_that_cannot_be_made_fails_alone(
    ses: SesStandIn, template: str, data: dict[str, Any], to_address: str | None, reason: str
) -> None:
    mail = queue(reader(), template, data=data, to_address=to_address)
    queue(reader())

    figures = send()

    assert (figures.failed, figures.sent) == (1, 1)
    queued = row(mail)
    assert (queued["status"], queued["status_reason"]) == ("FAILED", reason)
    assert queued["lease_id"] is None
