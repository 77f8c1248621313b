"""An exam's answer sheet as a client keeps it: answers, each under a revision that counts up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from local.demo.client import Device, Unexpected
from local.demo.learner import Document, Learner

_LEAST_SECONDS_AN_ITEM = 50


@dataclass
class Entry:
    """One item as the client knows it."""

    revision: int = 0
    answer: Document | None = None
    known: bool = False


class AnswerSheet:
    """A started session with everything that was answered in it."""

    def __init__(self, session: Document, learner: Learner) -> None:
        self.id: str = session["id"]
        self.deadline: str = session["clock"]["deadline_at"]
        self.items: list[Document] = session["items"]
        self._learner = learner
        self._entries = {item["question_id"]: Entry() for item in self.items}

    def path(self, rest: str = "") -> str:
        """A path of the session."""
        return f"/api/exams/sessions/{self.id}{rest}"

    def entry(self, item: Document) -> Entry:
        """What is known of an item."""
        return self._entries[item["question_id"]]

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everything, by the question's id."""
        return self._entries

    @property
    def unanswered(self) -> list[Document]:
        """The items still to be answered."""
        return [item for item in self.items if self.entry(item).answer is None]

    def write(self, item: Document) -> Document:
        """Answer an item on the sheet and return the request that saves it."""
        attempt, entry = self._learner.attempt(item), self.entry(item)
        entry.revision += 1
        entry.answer, entry.known = attempt.answer, attempt.known
        return self.body(item)

    def change(self, item: Document, *, right: bool) -> Document:
        """Put another answer on the sheet and return the request that saves it."""
        entry = self.entry(item)
        entry.revision += 1
        entry.answer, entry.known = self._learner.answer(item, right=right), False
        return self.body(item)

    def again(self, item: Document, *, flagged: bool | None = None) -> Document:
        """The request that saves the same answer as a new revision; None leaves the flag."""
        self.entry(item).revision += 1
        body = self.body(item)
        return body if flagged is None else {**body, "flagged": flagged}

    def body(self, item: Document) -> Document:
        """The request that saves an item as it stands on the sheet."""
        entry = self.entry(item)
        return {
            "question_id": item["question_id"],
            "revision": entry.revision,
            "answer": entry.answer,
            "time_spent_seconds": _LEAST_SECONDS_AN_ITEM + item["question"]["position"] % 7 * 5,
        }

    def save(self, device: Device, body: Document) -> Document:
        """Send a save; raises Unexpected when another revision is stored."""
        saved: Document = device.post(self.path("/responses"), body)
        if saved["revision"] != body["revision"]:
            raise Unexpected("another revision is stored", device.last)
        return saved

    def fetch(self, device: Device, *, unsure: Document | None = None) -> Document:
        """The session as the server has it; the save of one item may be `unsure`.

        Raises Unexpected when it is another form or its answers are not the sheet's.
        """
        session: Document = device.get(self.path())
        if [item["question"] for item in session["items"]] != [i["question"] for i in self.items]:
            raise Unexpected("the form is another one", device.last)
        doubtful = unsure["question_id"] if unsure else None
        for item in session["items"]:
            entry, response = self.entry(item), item["response"] or {}
            stored = (response.get("revision", 0), response.get("answer"))
            if stored != (entry.revision, entry.answer) and item["question_id"] != doubtful:
                raise Unexpected("an acknowledged answer is not there as saved", device.last)
        return session
