"""django-post-office, driven by the benchmark: a Django project in one file.

Run by the Python of `.tools/mailqueue` with the database's parts and how many mails to queue.
"""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import version
from typing import Any

from letter import PROVIDER, SENDER, obey  # type: ignore[import-not-found]

_QUEUED = """
INSERT INTO post_office_email (from_email, "to", cc, bcc, subject, message, html_message, status,
       priority, created, last_updated, backend_alias)
SELECT %s, 'reader' || n || '@example.com', '', '', 'Welcome', 'Welcome.', '<p>Welcome.</p>', 2,
       1, now(), now(), '' FROM generate_series(1, %s) AS n
"""


def set_up(database: dict[str, Any]) -> None:
    """Django with post_office as its documentation installs it, on a connection that is kept."""
    import django  # type: ignore[import-not-found]
    from django.conf import settings  # type: ignore[import-not-found]

    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "CONN_MAX_AGE": None,
                "OPTIONS": {"gssencmode": "disable", "sslmode": "disable"},  # as ours on loopback
                **database,
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        LOGGING_CONFIG=None,
        MIGRATION_MODULES=dict.fromkeys(("contenttypes", "post_office")),
        POST_OFFICE={"BACKENDS": {"default": "office_backend.StandIn"}},
        SECRET_KEY="only-for-benchmarks",  # noqa: S106 (no secret)
        USE_TZ=True,
    )
    django.setup()
    logging.disable(logging.CRITICAL)


def queue(mails: int) -> None:
    """Make the tables and queue the mails."""
    from django.core.management import call_command  # type: ignore[import-not-found]
    from django.db import connection  # type: ignore[import-not-found]

    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    with connection.cursor() as cursor:
        cursor.execute(_QUEUED, [SENDER, mails])
        cursor.execute("VACUUM ANALYZE post_office_email")


def drain(order: dict[str, Any]) -> None:
    """Send so many, a batch after the other, as `send_queued_mail` does, but on one connection:
    that command opens a new one for each batch.
    """
    from django.conf import settings
    from post_office.mail import send_queued  # type: ignore[import-not-found]

    settings.POST_OFFICE["BATCH_SIZE"] = order["batch"]
    until = PROVIDER.taken + order["drain"]
    while PROVIDER.taken < until:
        sent, failed, requeued = send_queued()
        if failed or requeued:
            raise RuntimeError(f"{sent} sent, {failed} failed, {requeued} to be tried again")
        if not sent:
            break


def connect(port: int) -> None:
    """Reach the database through another port."""
    from django.db import connection

    connection.close()
    connection.settings_dict["PORT"] = port


def main(arguments: list[str]) -> int:
    """Obey until standard input ends."""
    database, mails = arguments
    set_up(json.loads(database))
    if int(mails):
        queue(int(mails))
    obey({name: version(name) for name in ("django-post-office", "Django")}, drain, connect)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
