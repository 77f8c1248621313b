"""procrastinate, driven by the benchmark: an app with one task.

Run by the Python of `.tools/mailqueue` with the database's parts and how many mails to queue.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from importlib.metadata import version
from typing import Any

import procrastinate  # type: ignore[import-not-found]
import psycopg  # type: ignore[import-not-found]
from letter import PROVIDER, obey  # type: ignore[import-not-found]
from procrastinate.worker import Worker  # type: ignore[import-not-found]

_QUEUED = """
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status)
SELECT 'mail', 'send', jsonb_build_object('address', 'reader' || n || '@example.com'), 'todo'
  FROM generate_series(1, %s) AS n
"""


class Jobs:
    """The app, kept open, and where its database is."""

    def __init__(self, database: dict[str, Any]) -> None:
        self._database = database
        self._app: Any = None
        self._prepares = True
        self._worker: Any = None
        self._until = 0

    @property
    def _conninfo(self) -> str:
        given = self._database
        return str(
            psycopg.conninfo.make_conninfo(
                host=given["HOST"],
                port=given["PORT"],
                user=given["USER"],
                password=given["PASSWORD"],
                dbname=given["NAME"],
                sslmode="disable",  # as ours on loopback
                gssencmode="disable",
            )
        )

    async def _opened(self, *, prepares: bool = True) -> Any:
        if self._app is None or prepares != self._prepares:
            await self.close()
            self._prepares = prepares
            options = {} if prepares else {"kwargs": {"prepare_threshold": None}}
            connector = procrastinate.PsycopgConnector(conninfo=self._conninfo, **options)
            self._app = procrastinate.App(connector=connector)

            @self._app.task(name="send", queue="mail")  # type: ignore[untyped-decorator]
            async def send(address: str) -> str:
                provider_id: str = PROVIDER.offer(address)
                if PROVIDER.taken == self._until:
                    self._worker.stop()
                return provider_id

            await self._app.open_async()
        return self._app

    async def close(self) -> None:
        """Leave the database."""
        if self._app is not None:
            await self._app.close_async()
            self._app = None

    async def queue(self, mails: int) -> None:
        """Make the tables and queue the mails."""
        app = await self._opened()
        await app.schema_manager.apply_schema_async()
        async with await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True
        ) as connection:
            await connection.execute(_QUEUED, [mails])
            await connection.execute("VACUUM ANALYZE")

    async def drain(self, order: dict[str, Any]) -> None:
        """Have one worker send so many, one at a time."""
        self._until = PROVIDER.taken + order["drain"]
        # What is prepared is parsed only once, and could not be counted.
        app = await self._opened(prepares=not order.get("is_counted", False))
        if "take_back" in order:
            await self._take_back(app)
        self._worker = Worker(
            app, queues=["mail"], wait=False, concurrency=1, install_signal_handlers=False
        )
        await self._worker.run()

    async def _take_back(self, app: Any) -> None:
        """What its documentation has one schedule: jobs of workers that died are tried again."""
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=0):
            await app.job_manager.retry_job(job)

    async def connect(self, port: int) -> None:
        """Reach the database through another port."""
        await self.close()
        self._database["PORT"] = port


def main(arguments: list[str]) -> int:
    """Obey until standard input ends."""
    logging.disable(logging.CRITICAL)
    database, mails = arguments
    jobs = Jobs(json.loads(database))
    with asyncio.Runner() as runner:
        if int(mails):
            runner.run(jobs.queue(int(mails)))
        obey(
            {name: version(name) for name in ("procrastinate", "psycopg")},
            lambda order: runner.run(jobs.drain(order)),
            lambda port: runner.run(jobs.connect(port)),
        )
        runner.run(jobs.close())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
