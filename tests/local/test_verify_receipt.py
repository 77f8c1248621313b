"""Receipts checked on this machine: by the command, and by the page's script in a real engine."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from rich.console import Console
from starlette.testclient import TestClient

from local import receipt_key, server, verify_receipt
from local import template as sam
from studypack.exams.receipt import verify
from studypack.exams.receipt_keys import jwk, read_key_ring
from tests.support.receipts import OTHER_RING, RING, TAMPERED, public_keys, sample, tampered

PAGES = sam.ROOT / "local" / "pages"
NODE = shutil.which("node")
JWKS = {"keys": [jwk(key) for key in public_keys().values()]}


def run(folder: Path, document: Any, *, keys: bool = True) -> tuple[int, str]:
    """The command on this document: its exit status and what it printed."""
    (folder / "keys.json").write_text(json.dumps(JWKS), encoding="utf-8")
    file = folder / "receipt.json"
    text = document if isinstance(document, str) else json.dumps(document)
    file.write_text(text, encoding="utf-8")
    printed = io.StringIO()
    console = Console(file=printed, width=160, highlight=False)
    given = [str(file), *(("--key", str(folder / "keys.json")) if keys else ())]
    return verify_receipt.main(given, console), printed.getvalue()


def test_a_whole_receipt_is_valid_and_its_course_is_shown(tmp_path: Path) -> None:
    status, printed = run(tmp_path, sample())
    assert status == 0
    assert "Valid: nothing was changed since it was signed." in printed
    for shown in ("STARTED", "x 1.50 (accommodation)", "PAUSED", "12:06:00", "raw score 1.0000"):
        assert shown in printed


def test_a_changed_row_is_named_and_the_status_tells(tmp_path: Path) -> None:
    status, printed = run(tmp_path, tampered("an answer"))
    assert status == 1
    assert "Entry 2 (ANSWERED) does not match its hash" in printed
    assert "Valid" not in printed


def test_markup_in_a_receipt_is_only_text(tmp_path: Path) -> None:
    document = sample()
    document["entries"][0]["entry"]["data"]["title"] = "[bold green]Valid:[/] [link=x]"
    assert "[bold green]Valid:[/] [link=x]" in run(tmp_path, document)[1]


@pytest.mark.parametrize("text", ["", "{", "\x00", "[" * 100_000])
def test_a_file_that_is_no_json_is_not_checked(tmp_path: Path, text: str) -> None:
    status, printed = run(tmp_path, text)
    assert status == verify_receipt.NOT_READ
    assert printed.startswith("Not checked:")


def test_a_file_that_is_no_receipt_does_not_hold(tmp_path: Path) -> None:
    status, printed = run(tmp_path, {"keys": []})
    assert (status, "This is no exam receipt" in printed) == (1, True)


def test_without_a_key_file_this_machines_key_is_trusted_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_receipt, "STATE", tmp_path / "state")
    assert run(tmp_path, sample(), keys=False)[0] == verify_receipt.NOT_READ
    ring = read_key_ring(receipt_key.ensure(tmp_path / "state"))
    assert run(tmp_path, sample(ring=ring), keys=False)[0] == 0
    status, printed = run(tmp_path, sample(ring=RING), keys=False)
    assert status == 1
    assert "None of the given keys is the one that signed" in printed


def test_the_machines_key_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    first = receipt_key.ensure(tmp_path / "state")
    assert receipt_key.ensure(tmp_path / "state") == first
    assert receipt_key.ensure(tmp_path / "another") != first
    [file] = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_page_is_one_document_that_asks_this_server_for_nothing_but_its_keys() -> None:
    app = FastAPI()
    pages = server._environment()
    app.include_router(server._pages(pages, lambda: server.Overview(addresses=[])))
    page = TestClient(app).get("/verify-receipt").text
    assert (PAGES / "verify-receipt.js").read_text(encoding="utf-8").strip() in page
    assert re.findall(r"""(?:src|action)=["']([^"']+)""", page) == []
    assert re.findall(r"""fetch\(["'`]([^"'`]+)""", page) == ["/api/exams/receipt-keys"]
    assert "innerHTML" not in page


HARNESS = """
const fs = require("fs"), vm = require("vm");
vm.runInThisContext(fs.readFileSync(process.argv[1], "utf8"));
const {receipts, sets} = JSON.parse(fs.readFileSync(0, "utf8"));
(async () => {
  const found = [];
  for (const set of sets) {
    const keys = await readKeys(set);
    for (const receipt of receipts) found.push(await verifyReceipt(receipt, keys));
  }
  console.log(JSON.stringify(found));
})();
"""


def in_the_page(receipts: list[Any], sets: list[Any]) -> list[set[tuple[str, int | None, str]]]:
    """What the page's script finds, for each set of keys each receipt."""
    assert NODE is not None
    ran = subprocess.run(
        [NODE, "-e", HARNESS, str(PAGES / "verify-receipt.js")],
        input=json.dumps({"receipts": receipts, "sets": sets}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return [
        {(problem["code"], problem["sequence"], problem["message"]) for problem in problems}
        for problems in json.loads(ran.stdout)
    ]


@pytest.mark.skipif(NODE is None, reason="no node: the page's script needs a JavaScript engine")
def test_the_page_finds_what_the_command_finds_in_the_same_words() -> None:
    receipts = [sample(), sample(ring=OTHER_RING), *(tampered(what) for what in TAMPERED)]
    receipts += [None, [], 7, "receipt", {}, {**sample(), "entries": [None]}]
    rings = [public_keys(), RING.public_keys]
    sets = [{"keys": [jwk(key) for key in ring.values()]} for ring in rings]
    found = iter(in_the_page(receipts, sets))
    for ring in rings:
        for receipt in receipts:
            expected = {(p.code, p.sequence, p.message) for p in verify(receipt, ring)}
            shown = next(found)
            if {code for code, _, _ in expected} == {"malformed"}:
                assert {code for code, _, _ in shown} == {"malformed"}
            else:
                assert shown == expected


@pytest.mark.skipif(NODE is None, reason="no node: the page's script needs a JavaScript engine")
def test_the_page_trusts_a_key_by_its_thumbprint_whatever_the_set_calls_it() -> None:
    forger = {**jwk(OTHER_RING.signing.public), "kid": RING.signing.id}
    [problems] = in_the_page([sample()], [{"keys": [forger]}])
    assert {code for code, _, _ in problems} == {"unknown_key"}
