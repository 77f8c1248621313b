"""What people do in a scenario: through the product's services where there is one (in courses:
local/simulate/studies.py), else as rows and events that the product would have written.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from local.simulate import studies
from local.simulate.mailbox import Mailbox
from studypack.access.authentication import authenticate
from studypack.accounts import registration, signin
from studypack.activity import service as activity
from studypack.activity.models import XpSource
from studypack.billing.features import Feature
from studypack.billing.models import (
    Customer,
    Interval,
    Invoice,
    InvoiceStatus,
    Plan,
    Product,
    ProductGrant,
    ProductKind,
    Subscription,
    SubscriptionStatus,
)
from studypack.billing.money import format_money
from studypack.core.database import transaction
from studypack.identity.models import User
from studypack.lifecycle import broadcasts
from studypack.notifications.models import Broadcast, BroadcastStatus, EmailTemplate
from studypack.notifications.service import enqueue_email

PASSWORD: Final = "violet canal lantern"  # noqa: S105 (of people who do not exist)
ADDRESS: Final = "192.0.2.1"
PRICE: Final = 4_900
MONTH: Final = timedelta(days=30)


class World:
    """One person, and all that they may do."""

    def __init__(self, name: str, timezone: str, mailbox: Mailbox) -> None:
        self.email = f"{name.replace('_', '.')}@example.com"
        self.timezone = timezone
        self.mailbox = mailbox
        self.user_id: UUID | None = None
        self.token = ""
        """Of the newest session."""

    def do(self, what: str, facts: dict[str, Any], *, now: datetime) -> None:
        """Let something happen. Raises ValueError for what nobody can do."""
        if what in studies.ACTS:
            caller = authenticate(self.token)
            if caller is None:
                raise ValueError(f"{self.email} is not signed in")
            with transaction() as session:
                studies.ACTS[what](session, caller, **facts)
            return
        act = getattr(self, what, None)
        if act is None or what.startswith("_") or what == "do":
            raise ValueError(f"nobody can {what!r}")
        if what in {"mail_breaks_down", "mail_works_again"}:
            act()
            return
        with transaction() as session:
            act(session, now, **facts)

    @property
    def _id(self) -> UUID:
        if self.user_id is None:
            raise ValueError(f"{self.email} has not signed up")
        return self.user_id

    def sign_up(self, session: Session, now: datetime, *, opted_out: bool = False) -> None:
        account = registration.NewAccount(
            email=self.email,
            password=PASSWORD,
            first_name=self.email.split(".")[0].capitalize(),
            timezone=self.timezone,
            marketing_opt_out=opted_out,
        )
        signed_in = registration.sign_up(session, account, address=ADDRESS, user_agent=None)
        self.user_id, self.token = signed_in.user_id, signed_in.token

    def verify(self, session: Session, now: datetime) -> None:
        """Follow the link in the mail that came."""
        mail = self.mailbox.last(self.email, EmailTemplate.VERIFY_EMAIL)
        [token] = set(re.findall(r"verify-email\?token=([\w-]+)", mail.text))
        registration.verify_email(session, token, address=ADDRESS)

    def sign_in(self, session: Session, now: datetime) -> None:
        done = signin.sign_in(session, self.email, PASSWORD, address=ADDRESS, user_agent=None)
        self.token = done.token

    def reset_module(self, session: Session, now: datetime, *, module: str = "skeleton") -> None:
        """Begin it anew: nothing of the product does that yet, but mails know the event."""
        about = str(studies.module_id(session, module))
        activity.record_event(session, "module_reset", user_id=self._id, now=now, module_id=about)

    def study(self, session: Session, now: datetime) -> None:
        """Earn XP, and be in the feed."""
        activity.grant_xp(session, self._id, XpSource.EXAM, uuid4(), now=now)
        activity.record_activity(session, self._id, "exam.submitted", "An exam", now=now)

    def opt_out(self, session: Session, now: datetime) -> None:
        session.execute(update(User).where(User.id == self._id).values(marketing_opt_out=True))

    def switch_off(self, session: Session, now: datetime, *, category: str) -> None:
        session.execute(
            text(
                "INSERT INTO notifications.notification_preferences (id, user_id, category, email)"
                " VALUES (public.uuid7(), :id, :category, false)"
            ),
            {"id": self._id, "category": category},
        )

    def bounce(self, session: Session, now: datetime) -> None:
        self._suppress(session, "HARD_BOUNCE")

    def complain(self, session: Session, now: datetime) -> None:
        self._suppress(session, "COMPLAINT")

    def _suppress(self, session: Session, reason: str) -> None:
        session.execute(
            text(
                "INSERT INTO notifications.email_suppressions (id, address_hash, reason, user_id)"
                " VALUES (public.uuid7(), sha256(convert_to(:email, 'UTF8')), :reason, :id)"
            ),
            {"email": self.email, "reason": reason, "id": self._id},
        )

    def close_account(self, session: Session, now: datetime) -> None:
        session.execute(update(User).where(User.id == self._id).values(is_active=False))

    def subscribe(self, session: Session, now: datetime, *, days_left: int = 30) -> None:
        """Have paid for a month of courses, of which so many days are left."""
        product = session.scalars(select(Product).where(Product.sku == "pro-monthly")).one_or_none()
        if product is None:
            product = _product(session)
        customer = Customer(user_id=self._id, stripe_customer_id=f"cus_{uuid4().hex}")
        session.add(customer)
        session.flush()
        session.add(
            Subscription(
                user_id=self._id,
                customer_id=customer.id,
                product_id=product.id,
                stripe_subscription_id=f"sub_{uuid4().hex}",
                stripe_price_id="price_pro_monthly",
                plan=Plan.PRO,
                interval=Interval.MONTHLY,
                amount=PRICE,
                currency="usd",
                status=SubscriptionStatus.ACTIVE,
                started_at=now,
                current_period_start=now + timedelta(days=days_left) - MONTH,
                current_period_end=now + timedelta(days=days_left),
            )
        )

    def cancel_subscription(self, session: Session, now: datetime) -> None:
        """To the end of the period."""
        self._subscription(session).cancel_at_period_end = True

    def renew(self, session: Session, now: datetime) -> None:
        """The next period is paid, a little early."""
        subscription = self._subscription(session)
        subscription.current_period_start = subscription.current_period_end
        subscription.current_period_end += MONTH

    def payment_fails(self, session: Session, now: datetime) -> None:
        """As the events of a failed renewal leave it (billing/events/invoices.py)."""
        subscription = self._subscription(session)
        subscription.status = SubscriptionStatus.PAST_DUE
        subscription.payment_failed_at = now
        subscription.current_period_start = now
        subscription.current_period_end = now + MONTH
        number = f"INV-2026-{int(now.timestamp()) % 1_000_000:06}"
        invoice = Invoice(
            user_id=self._id,
            customer_id=subscription.customer_id,
            subscription_id=subscription.id,
            number=number,
            status=InvoiceStatus.OVERDUE,
            amount=PRICE,
            total=PRICE,
            currency="usd",
            first_failed_at=now,
        )
        session.add(invoice)
        session.flush()
        enqueue_email(
            session,
            self._id,
            EmailTemplate.PAYMENT_FAILED,
            occasion=f"invoice:{invoice.id}",
            invoice_id=str(invoice.id),
            product_name="Pro, monthly",
            amount=format_money(PRICE, "usd"),
            number=number,
        )

    def pay(self, session: Session, now: datetime) -> None:
        """The open invoice, at last."""
        subscription = self._subscription(session)
        subscription.status = SubscriptionStatus.ACTIVE
        subscription.payment_failed_at = None
        session.execute(
            update(Invoice)
            .where(Invoice.subscription_id == subscription.id)
            .values(status=InvoiceStatus.PAID, paid_at=now, amount_paid=Invoice.total)
        )

    def _subscription(self, session: Session) -> Subscription:
        query = select(Subscription).where(Subscription.user_id == self._id)
        return session.scalars(query).one()

    def get_broadcast(self, session: Session, now: datetime, *, subject: str = "News") -> None:
        """An admin starts one to everybody in this person's time zone."""
        values = {
            "name": subject,
            "subject": subject,
            "body": "Hello, here is **something new**.",
            "segment": {"timezone": self.timezone},
        }
        made = broadcasts.create(session, values, by=self._id)
        broadcasts.start(session, made.id, by=self._id, now=now)

    def lose_broadcast(self, session: Session, now: datetime) -> None:
        """The admin stops it."""
        query = select(Broadcast).where(Broadcast.created_by == self._id)
        for each in session.scalars(query.where(Broadcast.status == BroadcastStatus.SENDING)):
            broadcasts.stop(session, each.id, by=self._id, now=now)

    def mail_breaks_down(self) -> None:
        self.mailbox.is_down = True

    def mail_works_again(self) -> None:
        self.mailbox.is_down = False


def _product(session: Session) -> Product:
    product = Product(
        sku="pro-monthly",
        name="Pro, monthly",
        kind=ProductKind.SUBSCRIPTION,
        plan=Plan.PRO,
        interval=Interval.MONTHLY,
        price_amount=PRICE,
        currency="usd",
    )
    session.add(product)
    session.flush()
    session.add(ProductGrant(product_id=product.id, feature=Feature.COURSES))
    return product
