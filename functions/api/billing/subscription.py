"""The caller's subscription: read, cancel, resume, change of plan, refund."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import AwareDatetime, Field, StringConstraints

from api.billing.refunds import RefundOut
from studypack.access.guards import CurrentUser
from studypack.billing import plan_changes, subscriptions
from studypack.billing.answers import MoneyOut
from studypack.billing.models import Interval, Plan, SubscriptionStatus
from studypack.billing.plan_changes import Preview, Proration, Wish
from studypack.billing.subscriptions import SubscriptionView, TakenBack
from studypack.core.http import DbSession, In, Out, UtcTime

router = APIRouter(prefix="/api/billing/subscription")

Quantity = Annotated[int, Field(ge=1, le=1_000, description="Seats; 1 for everything else")]


class SubscribedOut(Out):
    """The product of a subscription."""

    sku: str
    name: str


class SeatsTakenOut(Out):
    """How full a subscription for several people is."""

    taken: int
    total: int


class SubscriptionOut(Out):
    """A subscription, as its owner or a member sees it."""

    id: UUID
    role: Literal["owner", "member"]
    seat_id: UUID | None = Field(description="A member's own; DELETE it to leave")
    product: SubscribedOut
    plan: Plan
    interval: Interval
    status: SubscriptionStatus
    price: MoneyOut | None = Field(description="Per interval and seat; null for members")
    seats: SeatsTakenOut | None = Field(description="Of a subscription for several people")
    started_at: UtcTime
    trial_end: UtcTime | None
    current_period_start: UtcTime
    current_period_end: UtcTime
    cancel_at_period_end: bool
    canceled_at: UtcTime | None
    ended_at: UtcTime | None
    payment_failed_at: UtcTime | None
    grace_until: UtcTime | None = Field(
        description="While a payment is outstanding: until when it opens what it opened"
    )
    access_ended_at: UtcTime | None = Field(description="When its payment went back")
    refundable_until: UtcTime | None

    @classmethod
    def of(cls, view: SubscriptionView) -> SubscriptionOut:
        subscription, is_owner = view.subscription, view.seat_id is None
        price = MoneyOut(amount=subscription.amount, currency=subscription.currency)
        seats = SeatsTakenOut(taken=view.seats_taken, total=subscription.quantity)
        return cls.model_validate(
            {
                **{name: getattr(subscription, name, None) for name in cls.model_fields},
                "role": "owner" if is_owner else "member",
                "seat_id": view.seat_id,
                "product": view.product,
                "price": price if is_owner else None,
                "seats": seats if is_owner and view.product.has_seats else None,
                "grace_until": view.grace_until,
                "refundable_until": view.refundable_until,
            }
        )


class MySubscriptionOut(Out):
    """Null for somebody who has none and no seat in another's."""

    subscription: SubscriptionOut | None


class PlanIn(In):
    """The plan that is wanted."""

    sku: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    quantity: Quantity | None = Field(None, description="Null: as many seats as now")
    proration: Proration = Field(
        Proration.CREATE_PRORATIONS,
        description="When the difference for the rest of the period is charged: with the next"
        " invoice, at once, or not at all",
    )

    def wish(self) -> Wish:
        return Wish(sku=self.sku, quantity=self.quantity, proration=self.proration)


class PlanChangeIn(PlanIn):
    """A change as it was previewed."""

    proration_date: AwareDatetime = Field(description="The preview's")
    unit_amount: int | None = Field(
        None, ge=0, description="The preview's `price.amount`: another price by now is refused"
    )


class PreviewLineOut(Out):
    """A line of the invoice to come, in minor units of the preview's currency."""

    description: str
    quantity: int
    amount: int
    period_start: UtcTime
    period_end: UtcTime
    is_proration: bool


class PreviewOut(Out):
    """What a change would cost."""

    product: SubscribedOut
    quantity: int
    price: MoneyOut = Field(description="Per interval and seat")
    proration: Proration
    proration_date: UtcTime = Field(description="The moment from which it counts; send it back")
    due_now: MoneyOut
    next_payment_at: UtcTime | None = Field(
        description="When the invoice of these lines is due; null: now"
    )
    total: MoneyOut = Field(description="Of that invoice; negative is a credit")
    lines: list[PreviewLineOut]

    @classmethod
    def of(cls, preview: Preview) -> PreviewOut:
        def money(amount: int) -> MoneyOut:
            return MoneyOut(amount=amount, currency=preview.currency)

        return cls.model_validate(
            {
                **vars(preview),
                "price": money(preview.unit_amount),
                "due_now": money(preview.due_now),
                "total": money(preview.total),
            }
        )


class TakenBackOut(Out):
    """A subscription that was taken back, and what goes back of its payments."""

    subscription: SubscriptionOut
    refunds: list[RefundOut]

    @classmethod
    def of(cls, taken_back: TakenBack) -> TakenBackOut:
        return cls(
            subscription=SubscriptionOut.of(taken_back.view),
            refunds=[RefundOut.of(refund) for refund in taken_back.refunds],
        )


@router.get("")
def get_subscription(caller: CurrentUser, session: DbSession) -> MySubscriptionOut:
    """My subscription, or the one in which I have a seat."""
    view = subscriptions.find_view(session, caller.id)
    return MySubscriptionOut(subscription=None if view is None else SubscriptionOut.of(view))


@router.post("/cancel")
def cancel_subscription(caller: CurrentUser) -> SubscriptionOut:
    """End it with the period that is paid; until then it stays as it is, and can be resumed."""
    return SubscriptionOut.of(subscriptions.cancel(caller.id))


@router.post("/resume")
def resume_subscription(caller: CurrentUser) -> SubscriptionOut:
    """Take the cancellation back, or go on after a pause."""
    return SubscriptionOut.of(subscriptions.resume(caller.id))


@router.post("/change-plan/preview")
def preview_plan_change(body: PlanIn, caller: CurrentUser) -> PreviewOut:
    """What another plan, or another number of seats, would cost from this moment on."""
    return PreviewOut.of(plan_changes.preview(caller.id, body.wish(), now=caller.now))


@router.post("/change-plan")
def change_plan(body: PlanChangeIn, caller: CurrentUser) -> SubscriptionOut:
    """Change the plan as it was previewed, within 15 minutes; 409 `preview_outdated` or
    `price_changed` otherwise. When the payment due now is declined, nothing changes.
    """
    return SubscriptionOut.of(
        plan_changes.change(
            caller.id,
            body.wish(),
            proration_date=body.proration_date,
            unit_amount=body.unit_amount,
            now=caller.now,
        )
    )


@router.post("/refund", status_code=202)
def refund_subscription(
    caller: CurrentUser,
    idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
) -> TakenBackOut:
    """Take the subscription back, within the time that `refundable_until` tells: it ends at once,
    and what was paid for its present period goes back.
    """
    return TakenBackOut.of(
        subscriptions.take_back(caller.id, idempotency_key=idempotency_key, now=caller.now)
    )
