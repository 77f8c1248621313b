"""dj-stripe's webhook endpoint, driven by the benchmark: a Django project in one file.

Run by the Python of `.tools/djstripe` with the database's parts, the address that answers
refetches and a file of batches (lists of events, as bytes to send). It makes the tables and an
endpoint that verifies signatures, prints a line with versions, then obeys lines of JSON on its
standard input:

    {"deliver": 3}      sends batch 3 to the view; answers with the statuses and the seconds
    {"port": 5433}      from now on the database is reached through this port
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

KEY = "sk_test_" + "knownToEverybodyAndGoodForThisBenchmarkOnly"
SECRET = "whsec_known_to_everybody"  # noqa: S105 (no secret)
PATH = "/stripe/webhook/"


def set_up(database: dict[str, Any], answers: str) -> None:
    """Django with dj-stripe as its documentation installs it, on a connection that is kept."""
    import django  # type: ignore[import-not-found]
    from django.conf import settings  # type: ignore[import-not-found]

    settings.configure(
        ALLOWED_HOSTS=["testserver"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "CONN_MAX_AGE": None,
                "OPTIONS": {"gssencmode": "disable", "sslmode": "disable"},  # as ours on loopback
                **database,
            }
        },
        DEBUG=False,
        DJSTRIPE_FOREIGN_KEY_TO_FIELD="id",
        INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "djstripe"],
        # Its 40 migrations take half a minute and end in the very tables that its models describe.
        MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "djstripe")),
        SECRET_KEY="only-for-benchmarks",  # noqa: S106 (no secret)
        SILENCED_SYSTEM_CHECKS=["djstripe.W002"],
        STRIPE_API_HOST=answers,
        STRIPE_LIVE_MODE=False,
        STRIPE_TEST_SECRET_KEY=KEY,
        USE_TZ=True,
    )
    django.setup()
    logging.disable(logging.WARNING)


def make_endpoint() -> Any:
    """The tables, the account of the key, and an endpoint; its identifier in the URL."""
    from django.core.management import call_command  # type: ignore[import-not-found]
    from djstripe.models import Account, WebhookEndpoint  # type: ignore[import-not-found]

    call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    account = Account.get_or_retrieve_for_api_key(KEY)
    endpoint, _ = WebhookEndpoint.objects.get_or_create(
        id="we_benchmark",
        defaults={
            "djstripe_owner_account": account,
            "enabled_events": ["*"],
            "livemode": False,
            "secret": SECRET,
            "status": "enabled",
            "stripe_data": {},
            "url": f"https://testserver{PATH}",
        },
    )
    return endpoint.djstripe_uuid


def sender(uuid: Any) -> Callable[[str], int]:
    """Sends a signed body to the view, with nothing of Django's before it; the status."""
    from django.db import close_old_connections  # type: ignore[import-not-found]
    from django.test import RequestFactory  # type: ignore[import-not-found]
    from djstripe.views import ProcessWebhookView  # type: ignore[import-not-found]

    view, factory = ProcessWebhookView.as_view(), RequestFactory()

    def send(body: str) -> int:
        at = int(time.time())
        mac = hmac.new(SECRET.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()
        close_old_connections()  # as before every request
        request = factory.post(
            f"{PATH}{uuid}/",
            body,
            content_type="application/json",
            headers={"Stripe-Signature": f"t={at},v1={mac}"},
        )
        return int(view(request, uuid=uuid).status_code)

    return send


def main(arguments: list[str]) -> int:
    """Obey until standard input ends."""
    database, answers, batches = arguments
    set_up(json.loads(database), answers)
    from django.db import connection

    send = sender(make_endpoint())
    loaded: list[list[str]] = json.loads(Path(batches).read_text(encoding="utf-8"))
    versions = {name: version(name) for name in ("dj-stripe", "Django", "psycopg", "stripe")}
    print(json.dumps(versions), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if "port" in order:
            connection.close()
            connection.settings_dict["PORT"] = order["port"]
            said: dict[str, Any] = {}
        else:
            started = time.perf_counter()
            statuses = [send(body) for body in loaded[order["deliver"]]]
            said = {"statuses": statuses, "seconds": time.perf_counter() - started}
        print(json.dumps(said), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
