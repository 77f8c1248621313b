"""The steps at the till: what a buyer does, and what has to come back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from local.demo import markup
from local.demo.browser import Browser
from local.demo.client import Device, Exchange
from local.demo.learner import Document
from local.demo.steps import NotTried, Step, await_answer, check
from local.demo.till import ASKING_CARD, FAILING_CARD, GOOD_CARD, POOR_CARD, Till
from studypack.billing.money import format_money

EXAM, OTHER_EXAM = "ot-practice-exam", "ot-diagnostic"
PACK, MONTHLY, ANNUAL = "ot-exam-pack", "pro-monthly", "pro-annual"
EVENT_LIMIT_SECONDS = 20
NAME = "Jonas Weber"
_HOURS = 3_600


class Buyer:
    """A new learner who pays, in a browser and with a device."""

    def __init__(self, base_url: str, progress: Callable[[str], None] = lambda _: None) -> None:
        self.invoices: list[Document] = []
        """What the act came to, for the panel at the end."""
        self._progress = progress
        self._email = f"jonas.{uuid4().hex[:10]}@example.com"
        self._laptop = Device("laptop", base_url)
        self._browser = Browser()
        self._till = Till(self._laptop, self._browser, base_url)
        self._products: dict[str, Document] = {}
        self._page: str | None = None
        self._running: str | None = None

    @property
    def last_exchange(self) -> Exchange | None:
        """What was sent and got last, by the device or in the browser."""
        made = [each for each in (self._laptop.last, self._browser.last) if each is not None]
        return max(made, key=lambda exchange: exchange.at, default=None)

    def close(self) -> None:
        """Give connections back."""
        self._laptop.close()
        self._browser.close()

    # An exam pack

    def sign_up(self) -> str:
        body = {
            "email": self._email,
            "password": "copper-lagoon-thistle",
            "first_name": "Jonas",
            "last_name": "Weber",
        }
        self._laptop.token = self._laptop.post("/api/auth/signup", body, expect=201)["token"]
        return f"201 · {self._email}, who has bought nothing"

    def read_price_list(self) -> str:
        self._products = {each["sku"]: each for each in self._laptop.get("/api/products")["items"]}
        check(PACK in self._products, "the exam pack is not on offer", self._laptop)
        told = ", ".join(f"{p['name']} {_price(p)}" for p in list(self._products.values())[:4])
        return f"200 · {len(self._products)} products: {told}, ..."

    def meet_paywall(self) -> str:
        offers = self._blocked(EXAM)
        check(PACK in offers, "the refusal does not name the pack", self._laptop)
        return f"402 entitlement_required · it would be open with {', '.join(offers)}"

    def open_checkout(self) -> str:
        key = uuid4().hex
        opened, again = self._till.checkout(PACK, key=key), self._till.checkout(PACK, key=key)
        check(opened["url"] == again["url"], "two pages were opened", self._laptop)
        self._page = opened["url"]
        return f"201 · one payment page at Stripe's, open until {_day(opened['expires_at'])}"

    def be_declined(self) -> str:
        self._browser.open(self._needed_page)
        self._till.fill_in(POOR_CARD, name=NAME, status=402)
        told = markup.alert(self._browser.page)
        check(bool(told), "the page does not say why", self._laptop)
        self._blocked(EXAM)
        return f"402 · the page says: {told} The exam stays closed"

    def pay(self) -> str:
        self._till.pay(self._needed_page, ASKING_CARD, name=NAME)
        return "303 · the bank asked, then the browser was led back to /checkout/done"

    def see_why_open(self) -> str:
        held = self._await_holding("purchase", lambda each: bool(each["in_force"]))
        return (
            f"200 · exams open by {held['product']} until {_day(held['until'])},"
            f" caused by {held['event_type']} {_short(held['event_id'])}"
        )

    def start_exam(self) -> str:
        started = self._laptop.post("/api/exams/sessions", {"template": EXAM}, expect=201)
        self._running = started["id"]
        return f"201 · the same request now starts it: {started['item_count']} items"

    # A subscription

    def subscribe(self) -> str:
        opened = self._till.checkout(MONTHLY)
        self._till.pay(opened["url"], GOOD_CARD, name=NAME)
        found = self._await_subscription("it did not begin", status="TRIALING")
        return f"TRIALING · nothing paid, free until {_day(found['trial_end'])}"

    def end_trial(self) -> str:
        self._pass_period()
        found = self._await_subscription("the trial did not end", status="ACTIVE")
        invoice = self._await_invoice(lambda each: each["total"] > 0)
        return (
            f"ACTIVE · Stripe's clock is at {_day(found['current_period_start'])}: {_sum(invoice)}"
            f" paid, {invoice['number']}; ours stays today"
        )

    def fail_renewal(self) -> str:
        self._till.change_card(FAILING_CARD)
        self._pass_period()
        found = self._await_subscription(
            "the renewal did not fail",
            status="PAST_DUE",
            # Told by the invoice's event, which may come after the subscription's.
            fits=lambda each: each["payment_failed_at"] is not None,
        )
        mail = await_answer(
            lambda: [
                each["template"]
                for each in self._laptop.get("/_local/outbox.json")
                if each["to"] == self._email
            ],
            until=lambda templates: "PAYMENT_FAILED" in templates,
            seconds=EVENT_LIMIT_SECONDS,
            complaint="no mail tells of it",
            device=self._laptop,
            progress=self._progress,
        )
        check(mail.count("PAYMENT_FAILED") == 1, "the mail goes out twice", self._laptop)
        held = self._await_holding("subscription", lambda each: bool(each["in_force"]))
        check(held["until"] == found["grace_until"], "grace is told in two ways", self._laptop)
        return (
            f"PAST_DUE since {_day(found['payment_failed_at'])} · PAYMENT_FAILED queued once;"
            f" still open until {_day(found['grace_until'])} (grace)"
        )

    def recover(self) -> str:
        self._till.change_card(GOOD_CARD)
        self._till.pass_time(self._email, days=3.1)
        self._await_subscription(
            "it did not recover", status="ACTIVE", fits=lambda each: each["grace_until"] is None
        )
        return "ACTIVE · new card on Stripe's portal; its next try, 3 days later, was paid"

    def change_plan(self) -> str:
        path = "/api/billing/subscription/change-plan"
        wish = {"sku": ANNUAL, "proration": "always_invoice"}
        preview = self._laptop.post(f"{path}/preview", wish)
        lines = "; ".join(_line(each, preview["total"]["currency"]) for each in preview["lines"])
        body = {**wish, "proration_date": preview["proration_date"]}
        changed = self._laptop.post(path, body)
        check(changed["product"]["sku"] == ANNUAL, "the plan is the old one", self._laptop)
        due = preview["due_now"]
        self._await_invoice(lambda each: each["total"] == due["amount"])
        return f"200 · preview: {lines}; {_money(due)} due, and invoiced to the cent"

    def cancel_and_resume(self) -> str:
        canceled = self._laptop.post("/api/billing/subscription/cancel")
        check(canceled["cancel_at_period_end"], "it goes on", self._laptop)
        check(canceled["status"] == "ACTIVE", "it ended at once", self._laptop)
        resumed = self._laptop.post("/api/billing/subscription/resume")
        check(not resumed["cancel_at_period_end"], "it still ends", self._laptop)
        return (
            f"200 · to end on {_day(canceled['current_period_end'])}, open till then; then resumed"
        )

    def let_it_end(self) -> str:
        self._laptop.post("/api/billing/subscription/cancel")
        self._pass_period()
        found = self._await_subscription("it did not end", status="CANCELED")
        held = self._await_holding("subscription", lambda each: not each["in_force"])
        return f"CANCELED on {_day(found['ended_at'])} · opens nothing: {held['closed_because']}"

    # Money back

    def take_back(self) -> str:
        bought = self._laptop.get("/api/purchases")["items"]
        purchase = next((each for each in bought if each["sku"] == PACK), None)
        if purchase is None:
            raise NotTried("no pack was bought")
        path = f"/api/purchases/{purchase['id']}"
        key = {"Idempotency-Key": uuid4().hex}
        refund = self._laptop.post(f"{path}/refund", expect=202, headers=key)
        again = self._laptop.post(f"{path}/refund", expect=202, headers=key)
        check(refund["id"] == again["id"], "two refunds were promised", self._laptop)
        settled = self._await(
            lambda: self._laptop.get(path),
            lambda each: each["status"] == "REFUNDED" and each["refunds"][0]["status"] != "PENDING",
            "the refund did not settle",
        )
        return (
            f"202 · {_money(refund['money'])} promised, sent twice, refunded once"
            f" ({settled['refunds'][0]['status']})"
        )

    def be_blocked_again(self) -> str:
        self._blocked(OTHER_EXAM)
        held = self._await_holding("purchase", lambda each: not each["in_force"])
        if self._running is None:
            raise NotTried("no exam was started")
        done = self._laptop.post(f"/api/exams/sessions/{self._running}/finalize")
        check(done["submitted_by"] == "LEARNER", "it cannot be finished", self._laptop)
        why = f"{held['closed_because']}, {held['event_type']}"
        return f"402 · closed at once ({why}); the exam under way was still finished: 200"

    def download_papers(self) -> str:
        invoices = self._laptop.get("/api/billing/invoices")["items"]
        self.invoices = invoices
        paid = next((each for each in invoices if each["purchase_id"]), None)
        if paid is None:
            raise NotTried("there is no invoice")
        check(paid["number"].startswith("INV-"), "the number is another's", self._laptop)
        kind, document = self._laptop.download(f"/api/billing/invoices/{paid['id']}/pdf")
        is_pdf = kind.startswith("application/pdf") and document.startswith(b"%PDF")
        check(is_pdf, "the invoice is no PDF", self._laptop)
        notes = paid["credit_notes"]
        check(len(notes) == 1, "the refund has no credit note", self._laptop)
        kind, note = self._laptop.download(f"/api/billing/credit-notes/{notes[0]['id']}/pdf")
        check(note.startswith(b"%PDF"), "the credit note is no PDF", self._laptop)
        kind, table = self._laptop.download("/api/billing/transactions.csv")
        rows = table.decode("utf-8-sig").splitlines()
        check(kind.startswith("text/csv") and len(rows) > 1, "there is no CSV", self._laptop)
        return (
            f"200 · {paid['number']}.pdf {len(document) / 1024:.0f} kB, {notes[0]['number']}.pdf"
            f" {len(note) / 1024:.0f} kB, transactions.csv {len(rows) - 1} rows"
        )

    # What the steps share

    def _blocked(self, exam: str) -> list[str]:
        """Be refused the exam; what the refusal offers."""
        problem = self._laptop.refused(
            "POST",
            "/api/exams/sessions",
            {"template": exam},
            code="entitlement_required",
            status=402,
        )
        return [offer["sku"] for offer in problem["products"]]

    @property
    def _needed_page(self) -> str:
        if self._page is None:
            raise NotTried("no payment page was opened")
        return self._page

    def _pass_period(self) -> None:
        found = self._laptop.get("/api/billing/subscription")["subscription"]
        if found is None:
            raise NotTried("there is no subscription")
        end = datetime.fromisoformat(found["current_period_end"]).timestamp()
        # A renewal's invoice is a draft for an hour.
        self._till.pass_time(self._email, to=int(end) + 2 * _HOURS)

    def _await(self, ask: Callable[[], Any], until: Callable[[Any], bool], complaint: str) -> Any:
        return await_answer(
            ask,
            until=until,
            seconds=EVENT_LIMIT_SECONDS,
            complaint=complaint,
            device=self._laptop,
            progress=self._progress,
        )

    def _await_subscription(
        self, complaint: str, *, status: str, fits: Callable[[Document], bool] = bool
    ) -> Document:
        found: Document = self._await(
            lambda: self._laptop.get("/api/billing/subscription")["subscription"],
            lambda each: each is not None and each["status"] == status and fits(each),
            complaint,
        )
        return found

    def _await_invoice(self, fits: Callable[[Document], bool]) -> Document:
        invoices: list[Document] = self._await(
            lambda: self._laptop.get("/api/billing/invoices")["items"],
            lambda found: any(each["subscription_id"] and fits(each) for each in found),
            "no such invoice",
        )
        return next(each for each in invoices if each["subscription_id"] and fits(each))

    def _await_holding(self, source: str, fits: Callable[[Document], bool]) -> Document:
        """What opens exams, or did, by the explanation."""

        def ask() -> list[Document]:
            told = self._laptop.get("/api/purchases/entitlements/explain")["features"]
            exams = next(each for each in told if each["feature"] == "exams")
            return [each for each in exams["holdings"] if each["source"] == source and fits(each)]

        found: list[Document] = self._await(ask, bool, f"no such {source} explains it")
        return found[0]


STEPS = (
    Step("Signs up", Buyer.sign_up),
    Step("Reads the price list", Buyer.read_price_list),
    Step("Starts an exam, unpaid", Buyer.meet_paywall),
    Step("Opens the checkout, sent twice", Buyer.open_checkout),
    Step("Pays with an empty account", Buyer.be_declined),
    Step("Pays with another card", Buyer.pay),
    Step("Asks why exams are open", Buyer.see_why_open),
    Step("Starts the exam", Buyer.start_exam),
    Step("Subscribes to PRO, with a trial", Buyer.subscribe),
    Step("Two weeks go by: first payment", Buyer.end_trial),
    Step("A month goes by: renewal fails", Buyer.fail_renewal),
    Step("Puts in a card that works", Buyer.recover),
    Step("Changes to the annual plan", Buyer.change_plan),
    Step("Cancels, and resumes", Buyer.cancel_and_resume),
    Step("Cancels, and a year goes by", Buyer.let_it_end),
    Step("Takes the exam pack back", Buyer.take_back),
    Step("Starts an exam, money back", Buyer.be_blocked_again),
    Step("Downloads the papers", Buyer.download_papers),
)


def _money(money: Document) -> str:
    return format_money(money["amount"], money["currency"])


def _sum(invoice: Document) -> str:
    return format_money(invoice["total"], invoice["currency"])


def _price(product: Document) -> str:
    each = {"MONTHLY": " a month", "ANNUAL": " a year"}.get(product["interval"] or "", "")
    return _money(product["price"]) + each


def _line(line: Document, currency: str) -> str:
    return f"{line['description']} {format_money(line['amount'], currency)}"


def _day(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d}"


def _short(identifier: str | None) -> str:
    return f"{identifier[:10]}..." if identifier else "no event"
