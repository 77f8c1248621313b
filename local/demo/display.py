"""What the demo prints: a line a step, what failed in full, and the learner's results."""

from __future__ import annotations

import os
from datetime import datetime

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from local.demo.buyer import Buyer
from local.demo.client import Exchange
from local.demo.journey import Journey, Results
from local.demo.learner import Document
from local.demo.steps import Player
from local.demo.student import Student
from studypack.billing.money import format_money

WIDTH = 110
SCALE_CELLS = 61
BAR_CELLS = 24


def make_console() -> Console:
    """A terminal's console, no wider than reads well; elsewhere as wide as that."""
    console = Console(highlight=False)
    if console.is_terminal or "COLUMNS" in os.environ:
        console.width = min(console.width, WIDTH)
    else:
        console.width = WIDTH
    return console


def act_title(title: str) -> Rule:
    """The line above an act."""
    return Rule(title, align="left", style="dim")


def step_line(number: int, title: str, outcome: str, seconds: float, *, passed: bool) -> Table:
    """One step: what the learner did, what came back, how long it took."""
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(width=4, justify="right", style="dim")
    line.add_column(width=1)
    line.add_column(ratio=4)
    line.add_column(ratio=9)
    line.add_column(width=9, justify="right", style="dim")
    mark = Text("✓", "green") if passed else Text("✗", "bold red")
    result = Text(outcome, "" if passed else "red")
    line.add_row(str(number), mark, Text(title), result, f"{seconds * 1000:,.0f} ms")
    return line


def exchange_block(exchange: Exchange) -> Padding:
    """A request that went wrong, with status and document."""
    lines = (exchange.request, str(exchange.status), exchange.answer)
    return Padding(Text("\n".join(lines), "red", overflow="fold"), (0, 0, 0, 7))


def panel(player: Player) -> RenderableType | None:
    """What an act came to, if it came to anything."""
    if isinstance(player, Student):
        return course_panel(player)
    if isinstance(player, Journey):
        return results_panel(player.results)
    if isinstance(player, Buyer) and player.invoices:
        note = "Dated by Stripe's clock, which the demo put forward; ours shows today."
        return Panel(
            Group(invoice_table(player.invoices), Text(f"\n{note}", "dim")),
            title="Jonas's invoices",
            padding=(1, 2),
            border_style="dim",
        )
    return None


def course_panel(student: Student) -> RenderableType | None:
    """How far the student came, by module; None before the course was looked at."""
    page = student.page
    if page is None:
        return None
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in (page["title"], "", "", "Done", "Quiz"):
        table.add_column(title, header_style="bold", no_wrap=True)
    for module in page["modules"]:
        quizzes = {each["title"] for each in module["other_items"]}
        tries = [
            f"{float(each['score_percentage']):g} %"
            for each in student.attempts
            if each["quiz_title"] in quizzes
        ]
        done = f"{module['done']} of {module['items']}"
        row = (_bar(module["percent"] / 100), f"{module['percent']} %", done, ", then ".join(tries))
        table.add_row(module["title"], *row)
    parts: list[RenderableType] = [table]
    if student.certificate is not None:
        parts.append(Text(f"\nCertificate: {student.certificate['verify_url']}", "dim"))
    return Panel(Group(*parts), title="Amira's course", padding=(1, 2), border_style="dim")


def _bar(share: float) -> Text:
    full = round(share * BAR_CELLS)
    return Text.assemble(("█" * full, "cyan"), ("░" * (BAR_CELLS - full), "dim"))


def invoice_table(invoices: list[Document]) -> Table:
    """Invoices as the API lists them, with the credit notes to each."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    for title in ("Invoice", "Issued", "Status", "For", "Total", "Credit note"):
        table.add_column(title, no_wrap=True, justify="right" if title == "Total" else "left")
    for each in invoices:
        table.add_row(
            each["number"],
            each["issued_at"][:10],
            each["status"],
            "a purchase" if each["purchase_id"] else "a subscription's period",
            format_money(each["total"], each["currency"]),
            ", ".join(note["number"] for note in each["credit_notes"]),
        )
    return table


def results_panel(results: Results) -> RenderableType | None:
    """Scaled score, mastery and history; None when there is nothing to show."""
    parts: list[RenderableType] = []
    if results.review is not None:
        parts += [score_lines(results.review), Rule(style="dim"), mastery_table(results)]
    if results.sessions:
        parts += [Rule(style="dim")] if parts else []
        parts.append(history_table(results.sessions))
    if not parts:
        return None
    return Panel(Group(*parts), title="Mia's results", padding=(1, 2), border_style="dim")


def score_lines(review: Document) -> Text:
    """The score on its scale: the band is one standard error to each side."""
    scaled = review["scaled"]
    low, high, pass_score = scaled["minimum"], scaled["maximum"], scaled["pass_score"]
    score, error = scaled["score"], scaled["standard_error"] or 0

    def cell(points: float) -> int:
        inside: float = min(max(points, low), high)
        return int(0.5 + (inside - low) / (high - low) * (SCALE_CELLS - 1))

    band = range(cell(score - error), cell(score + error) + 1)
    color = "green" if review["passed"] else "yellow"
    scale = Text(f"{low} ")
    for at in range(SCALE_CELLS):
        if at == cell(score):
            scale.append("●", f"bold {color}")
        elif at == cell(pass_score):
            scale.append("┃", "bold")
        elif at in band:
            scale.append("▒", color)
        else:
            scale.append("─", "dim")
    scale.append(f" {high}")
    verdict = "passed" if review["passed"] else "not passed"
    headline = Text.assemble(
        (f"{review['title']}: {score}", f"bold {color}"),
        f" ± {error:.0f}, {verdict}   ",
        (f"({float(review['score_percent']):g} % raw)", "dim"),
    )
    margin = " " * (len(f"{low} ") + cell(pass_score))
    pass_mark = Text(f"{margin}┗ pass mark {pass_score}", "dim")
    legend = Text(f"{' ' * len(f'{low} ')}● score   ▒ one standard error to each side", "dim")
    return Text("\n").join([headline, Text(), scale, pass_mark, legend])


def mastery_table(results: Results) -> Table:
    """Mastery by topic as bars, and what the exam found."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("Mastery by topic", "", "", "In this exam"):
        table.add_column(title, header_style="bold", no_wrap=True)
    for topic in results.review["topics"] if results.review else ():
        mastery = topic["mastery"] or 0
        points = f"{float(topic['credit']):.1f} of {topic['items']}"
        table.add_row(topic["name"], _bar(mastery), f"{mastery:.0%}", points)
    return table


def history_table(sessions: list[Document]) -> Table:
    """The learner's sessions as the history lists them."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), show_edge=False)
    for title in ("History", "Submitted", "Status", "Raw", "Scaled", "Result"):
        table.add_column(title, no_wrap=True)
    verdicts = {True: "passed", False: "not passed", None: ""}
    for session in sessions:
        submitted, percent = session["submitted_at"], session["score_percent"]
        table.add_row(
            session["title"],
            "" if submitted is None else f"{_local(submitted):%Y-%m-%d %H:%M}",
            session["status"],
            "" if percent is None else f"{float(percent):g} %",
            "" if session["score_scaled"] is None else str(session["score_scaled"]),
            verdicts[session["passed"]],
        )
    return table


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()
