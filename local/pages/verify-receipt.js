// Checks an exam receipt as layers/shared/python/studypack/exams/receipt.py does, with nothing but
// what a browser has: `await verifyReceipt(document, await readKeys(jwks))` gives the problems as
// {code, message, sequence}, none when all holds.
"use strict";

const RECEIPT_FORMAT = "studypack-exam-receipt/1";
const HASH = /^[0-9a-f]{64}$/;
const SESSION = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FIRST_PREVIOUS = "0".repeat(64);

// RFC 8785: JSON.stringify writes numbers and texts just so; only the keys need an order.
function canonical(value) {
  if (Array.isArray(value)) return "[" + value.map(canonical).join(",") + "]";
  if (value !== null && typeof value === "object")
    return "{" + Object.keys(value).sort()
      .map((name) => JSON.stringify(name) + ":" + canonical(value[name])).join(",") + "}";
  if (typeof value === "number" && Math.abs(value) > Number.MAX_SAFE_INTEGER)
    throw new Error("a number is too large");
  return JSON.stringify(value);
}

function bytesOfHex(text) {
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

function bytesOfBase64url(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9_-]*$/.test(text)) return null;
  try {
    const decoded = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(decoded, (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

async function link(previous, text) {
  const message = new TextEncoder().encode(text);
  const all = new Uint8Array(32 + message.length);
  all.set(bytesOfHex(previous));
  all.set(message, 32);
  return Array.from(await sha256(all), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The x of each key by its id, which is its thumbprint (RFC 7638), whatever the set calls it.
async function readKeys(set) {
  const keys = new Map();
  for (const {x} of (set.keys || [set]).filter((key) => key.crv === "Ed25519")) {
    const members = canonical({crv: "Ed25519", kty: "OKP", x});
    const digest = await sha256(new TextEncoder().encode(members));
    const id = btoa(String.fromCharCode(...digest));
    keys.set(id.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""), x);
  }
  return keys;
}

function hasExactly(value, names) {
  return value !== null && typeof value === "object" && !Array.isArray(value)
    && canonical(Object.keys(value).sort()) === canonical([...names].sort());
}

function isPositive(number) {
  return Number.isSafeInteger(number) && number > 0;
}

function parseReceipt(document) {
  const refuse = (what) => { throw new Error(what); };
  if (!hasExactly(document, ["format", "entries", "statement", "signature"])
      || document.format !== RECEIPT_FORMAT)
    refuse("it is not of the format " + RECEIPT_FORMAT);
  if (!Array.isArray(document.entries) || document.entries.length === 0) refuse("it has no entries");
  const rows = document.entries.map((logged) => {
    const whole = hasExactly(logged, ["entry", "hash"]) && HASH.test(logged.hash)
      && hasExactly(logged.entry, ["session", "sequence", "event", "at", "data"])
      && isPositive(logged.entry.sequence)
      && logged.entry.data !== null && typeof logged.entry.data === "object"
      && !Array.isArray(logged.entry.data);
    if (!whole) refuse("an entry is not whole");
    const {sequence, event, session, at, data} = logged.entry;
    return {sequence, event, session, at, data, text: canonical(logged.entry), hash: logged.hash};
  });
  const signed = document.statement;
  if (signed !== null && !(
    hasExactly(signed, ["format", "session", "entries", "head", "key", "signed_at"])
      && signed.format === RECEIPT_FORMAT && SESSION.test(signed.session)
      && isPositive(signed.entries) && HASH.test(signed.head)
      && typeof signed.key === "string" && typeof signed.signed_at === "string"))
    refuse("its statement is not whole");
  if (document.signature !== null && typeof document.signature !== "string")
    refuse("its signature is no text");
  return {rows, signed, signature: document.signature};
}

async function checkChain(rows, signed, report) {
  const numbers = rows.map((row) => row.sequence).sort((a, b) => a - b);
  const last = signed === null ? numbers.at(-1) : signed.entries;
  let before = 0;
  for (const number of [...numbers, Math.max(last, numbers.at(-1)) + 1]) {
    if (number - before > 1)
      report("entry_missing", number - before === 2 ? `Entry ${before + 1} is missing.`
        : `Entries ${before + 1} to ${number - 1} are missing.`, before + 1);
    before = number;
  }
  const hashes = new Map([[0, [FIRST_PREVIOUS]]]);
  for (const row of rows)
    hashes.set(row.sequence, [...(hashes.get(row.sequence) || []), row.hash]);
  const seen = new Set();
  before = 0;
  for (const row of rows) {
    const name = `Entry ${row.sequence} (${row.event})`;
    if (seen.has(row.sequence) || row.sequence > last)
      report("entry_added", `${name} was added.`, row.sequence);
    else if (row.sequence < before)
      report("entry_out_of_order", `${name} stands after entry ${before}.`, row.sequence);
    seen.add(row.sequence);
    before = Math.max(before, row.sequence);
    const previous = hashes.get(row.sequence - 1) || [];
    const links = await Promise.all(previous.map((hash) => link(hash, row.text)));
    if (links.length && !links.includes(row.hash))
      report("entry_changed", `${name} does not match its hash: it was changed,`
        + " or the hash of the entry before it was.", row.sequence);
  }
}

async function checkSignature({rows, signed, signature}, keys, report) {
  if (signed === null || signature === null) {
    report("unsigned", "The receipt is not signed; fetch it again in some minutes.");
    return;
  }
  const ends = rows.filter((row) => row.sequence === signed.entries).map((row) => row.hash);
  if (ends.length && !ends.includes(signed.head))
    report("head_differs", "The last entry's hash is not the one that was signed.",
      signed.entries);
  for (const row of rows)
    if (row.session !== signed.session)
      report("other_session",
        `Entry ${row.sequence} (${row.event}) is of another session than was signed.`,
        row.sequence);
  const x = keys.get(signed.key);
  if (!x) {
    report("unknown_key", `None of the given keys is the one that signed: ${signed.key}`);
    return;
  }
  const bytes = bytesOfBase64url(signature);
  const imported = await crypto.subtle.importKey(
    "jwk", {kty: "OKP", crv: "Ed25519", x}, {name: "Ed25519"}, false, ["verify"]);
  const message = new TextEncoder().encode(canonical(signed));
  if (!bytes || !await crypto.subtle.verify({name: "Ed25519"}, imported, bytes, message))
    report("signature_invalid",
      "The signature is not this key's over this receipt's statement.");
}

function checkCourse(rows, report) {
  const events = rows.map((row) => row.event);
  if (events[0] !== "STARTED" || events.lastIndexOf("STARTED") !== 0) {
    report("not_started", "The log does not begin with one start.");
    return;
  }
  const end = events.indexOf("SUBMITTED");
  if (end < 0) report("not_submitted", "The log has no submission.");
  else
    for (const row of rows.slice(end + 1))
      report("after_submission",
        `Entry ${row.sequence} (${row.event}) comes after the submission.`, row.sequence);
  const form = new Set((Array.isArray(rows[0].data.form) ? rows[0].data.form : [])
    .map((place) => place && place.question));
  const newest = new Map();
  for (const {event, data, sequence} of rows) {
    if (event !== "ANSWERED") continue;
    if (!form.has(data.question))
      report("question_not_on_form",
        `Entry ${sequence} answers a question that is not on the form.`, sequence);
    if (!Number.isSafeInteger(data.revision) || data.revision <= (newest.get(data.question) || 0))
      report("revision_not_newer",
        `Entry ${sequence} is not newer than what was saved before.`, sequence);
    else newest.set(data.question, data.revision);
  }
}

async function verifyReceipt(document, keys) {
  const problems = [];
  const report = (code, message, sequence = null) => problems.push({code, message, sequence});
  let receipt;
  try {
    receipt = parseReceipt(document);
  } catch (error) {
    report("malformed", `This is no exam receipt: ${error.message}`);
    return problems;
  }
  await checkChain(receipt.rows, receipt.signed, report);
  await checkSignature(receipt, keys, report);
  checkCourse(receipt.rows, report);
  return problems;
}
