"""Mails under everything at once: workers killed, the database restarted and its connections cut,
SES throttling and refusing, schedules overlapping.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import pytest

from local import postgres
from tests.faults import audit
from tests.faults.audit import Findings
from tests.faults.conftest import MAIL_PROPERTY, prepare, state
from tests.faults.figures import Figures
from tests.faults.mailers import HardSes, Mailers, ends, fill, mailing, pending
from tests.faults.processes import orders_for
from tests.support.concurrency import bystander, terminate_connections
from tests.support.ses_standin import SesStandIn

PATIENCE_SECONDS = 240

Fault = Callable[[Mailers], None]


def _after(ses: SesStandIn, more: int, give_up_at: float) -> None:
    """Wait until SES was asked so many times more."""
    wanted = ses.offered.total() + more
    while ses.offered.total() < wanted and time.monotonic() < give_up_at:
        time.sleep(0.005)


def _play(
    url: str,
    folder: Path,
    faults: Sequence[Fault],
    *,
    number: int,
    workers: int,
    chance: random.Random,
) -> tuple[dict[str, int], Findings]:
    """Send `number` mails while the faults come one after the other; what became of them."""
    hard = HardSes(chance)
    orders = orders_for(url, folder / "victims.log")
    started = time.monotonic()
    give_up_at = started + PATIENCE_SECONDS
    with audit.looking(url) as database:
        addresses = fill(database, number)
    gap = number // (len(faults) + 1)
    with hard.serving() as ses, mailing(orders, ses, folder / "stop", workers) as mailers:
        for fault in faults:
            _after(ses, chance.randint(gap // 2, gap), give_up_at)
            fault(mailers)
        with audit.looking(url) as database:
            while pending(database) and time.monotonic() < give_up_at:
                time.sleep(0.1)
            mailers.finish()
            found = ends(database, ses, hard, addresses)
    figures = {
        "mails": number,
        "workers": workers,
        "faults": len(faults),
        "throttled": hard.throttled,
        "refused": len(hard.rejections),
        "lost": len(found.lost),
        "unsent": len(found.unsent),
        "duplicates": len(found.duplicates),
        "of them not said": len(found.unexplained),
        "suppressed sent": len(found.suppressed_sent),
        "refused tried again": len(found.rejects_retried),
        "seconds": round(time.monotonic() - started),
    }
    findings = Findings(
        lost=tuple(found.lost),
        duplicated=(*found.unexplained, *found.suppressed_sent, *found.rejects_retried),
        stuck=tuple(found.unsent),
    )
    return figures, findings


@pytest.mark.quick
def test_mails_are_neither_lost_nor_doubled_by_workers_that_are_killed(
    url: str,
    tmp_path: Path,
    figures: Callable[..., Figures],
    record_property: Callable[[str, object], None],
    whole: bool,
) -> None:
    chance = random.Random(20261118)  # noqa: S311 (a fault's place)
    kills = 12 if whole else 3
    workers = 3 if whole else 2

    def kill(mailers: Mailers) -> None:
        mailers.kill(chance.randrange(len(mailers.processes)))

    counted, findings = _play(
        url,
        tmp_path,
        [kill] * kills,
        number=2000 if whole else 60,
        workers=workers,
        chance=chance,
    )
    record_property(MAIL_PROPERTY, {"case": "kill -9", **counted})
    row = figures(f"kill -9 of {kills} of the workers that send mails", tries=kills)
    row.add(findings)
    row.hold()
    assert counted["duplicates"] <= kills


def test_mails_are_neither_lost_nor_doubled_when_the_database_goes_away_as_well(
    tmp_path: Path,
    figures: Callable[..., Figures],
    record_property: Callable[[str, object], None],
) -> None:
    chance = random.Random(20261119)  # noqa: S311 (a fault's place)
    home = state() / "faults-mail"
    cluster = postgres.start(home)
    try:
        url = prepare(cluster, f"mail_{uuid4().hex[:12]}")

        def kill(mailers: Mailers) -> None:
            mailers.kill(chance.randrange(len(mailers.processes)))

        def restart(_mailers: Mailers) -> None:
            nonlocal cluster
            postgres.stop(cluster)
            cluster = postgres.start(home, port=cluster.port)

        def cut(_mailers: Mailers) -> None:
            with bystander(url) as engine:
                terminate_connections(engine)

        faults = [kill, cut, kill, restart, cut, kill, restart, kill, cut, kill]
        counted, findings = _play(url, tmp_path, faults, number=2000, workers=3, chance=chance)
    finally:
        postgres.stop(cluster)
    record_property(MAIL_PROPERTY, {"case": "kill -9, restarts, connections cut", **counted})
    row = figures("mails: kill -9, PostgreSQL restarted, connections cut", tries=len(faults))
    row.add(findings)
    row.hold()
    assert counted["duplicates"] <= len(faults)
