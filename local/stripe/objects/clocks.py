"""Test clocks, and webhook endpoints, portal sessions: what is made beside the money."""

from __future__ import annotations

from local.stripe.account import Account
from local.stripe.errors import ApiError
from local.stripe.form import Params
from local.stripe.objects import customers, renewals
from local.stripe.state import Doc


def create(account: Account, params: Params) -> Doc:
    """POST /v1/test_helpers/test_clocks."""
    frozen = params.integer("frozen_time", least=0)
    if frozen is None:
        params.required("frozen_time")
        raise AssertionError  # the line above has raised
    return customers.new_clock(account, frozen, params.text("name"))


def advance(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/test_helpers/test_clocks/:id/advance: done when it answers, unlike Stripe's."""
    clock = account.need("test_helpers.test_clock", identifier)
    target = params.integer("frozen_time")
    if target is None or target <= clock["frozen_time"]:
        raise ApiError("The test clock can only be advanced to a later time.", param="frozen_time")
    advance_to(account, clock, target)
    return clock


def advance_to(account: Account, clock: Doc, target: int) -> int:
    """Let the time pass; how many things happened."""
    clock["status"] = "advancing"
    clock["status_details"] = {"advancing": {"target_frozen_time": target}}
    account.store.changed(clock)
    account.emit("test_helpers.test_clock.advancing", clock)
    done = renewals.pass_time(account, clock, target)
    clock.update(frozen_time=target, status="ready", status_details={})
    account.store.changed(clock)
    account.emit("test_helpers.test_clock.ready", clock)
    return done


def delete(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/test_helpers/test_clocks/:id, with its customers."""
    clock = account.need("test_helpers.test_clock", identifier)
    for customer in account.store.all("customer"):
        if customer["test_clock"] == identifier and not customer.get("~deleted"):
            customers.delete(account, Params({}), customer["id"])
    account.emit("test_helpers.test_clock.deleted", clock)
    account.store.remove(clock)
    return {"id": identifier, "object": "test_helpers.test_clock", "deleted": True}


def create_endpoint(account: Account, params: Params) -> Doc:
    """POST /v1/webhook_endpoints: the answer to this, and to no other, holds the secret."""
    return {
        **new_endpoint(
            account,
            params.required("url"),
            params.texts("enabled_events"),
            description=params.text("description"),
            metadata=params.metadata(),
        ),
    }


def new_endpoint(
    account: Account,
    url: str,
    enabled: list[str],
    *,
    secret: str | None = None,
    description: str | None = None,
    metadata: dict[str, str] | None = None,
) -> Doc:
    """An endpoint that hears of these types of events."""
    if not url.startswith(("http://", "https://")):
        raise ApiError(
            "Invalid URL: An explicit scheme (such as https) must be provided.",
            code="url_invalid",
            param="url",
        )
    return account.add(
        {
            "id": account.new_id("we"),
            "object": "webhook_endpoint",
            "api_version": account.version,
            "application": None,
            "created": account.now(),
            "description": description,
            "enabled_events": enabled or ["*"],
            "livemode": False,
            "metadata": metadata or {},
            "secret": secret or f"whsec_{account.store.ids.letters(url, 32)}",
            "status": "enabled",
            "url": url,
        }
    )


def update_endpoint(account: Account, params: Params, identifier: str) -> Doc:
    """POST /v1/webhook_endpoints/:id."""
    endpoint = account.need("webhook_endpoint", identifier)
    if "url" in params:
        endpoint["url"] = params.required("url")
    if "enabled_events" in params:
        endpoint["enabled_events"] = params.texts("enabled_events")
    if "disabled" in params:
        endpoint["status"] = "disabled" if params.flag("disabled") else "enabled"
    account.store.changed(endpoint)
    return endpoint


def delete_endpoint(account: Account, params: Params, identifier: str) -> Doc:
    """DELETE /v1/webhook_endpoints/:id."""
    account.store.remove(account.need("webhook_endpoint", identifier))
    return {"id": identifier, "object": "webhook_endpoint", "deleted": True}


def create_portal(account: Account, params: Params) -> Doc:
    """POST /v1/billing_portal/sessions."""
    customer = account.named("customer", params, "customer")
    identifier = account.new_id("bps")
    key = account.store.ids.letters(f"portal:{identifier}", 40)
    return account.add(
        {
            "id": identifier,
            "object": "billing_portal.session",
            "configuration": "bpc_standin",
            "created": account.now(),
            "customer": customer["id"],
            "customer_account": None,
            "flow": None,
            "livemode": False,
            "locale": params.text("locale"),
            "on_behalf_of": None,
            "return_url": params.text("return_url"),
            "url": account.url(f"/p/session/test_{key}"),
            "~key": f"test_{key}",
        }
    )
