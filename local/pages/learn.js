// What the pages of a course have in common.

// An element with attributes and children; what is null or false is left out.
function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === false || value === undefined) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key === "kind" ? "class" : key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== false && child !== undefined));
  return made;
}

function $(selector) { return document.querySelector(selector); }

function badge(text, kind = "") { return make("span", {kind: `badge ${kind}`}, text); }

function bar(percent, label, kind = "") {
  return make("progress", {kind: `bar ${kind}`, max: 100, value: percent, "aria-label": label});
}

function heading(text) {
  $("h1").textContent = text;
  document.title = `${text} - StudyPack`;
}

function counted(number, one) { return `${number} ${one}${number === 1 ? "" : "s"}`; }

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes, kind) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (kind) made.setAttribute("class", kind);
  return made;
}

function mark(state, title) {
  const made = make("span", {kind: `mark ${state === "done" ? "good" : ""}`, title, role: "img", "aria-label": title});
  if (state !== "locked") made.append(state === "done" ? "✓" : "○");
  else {
    const lock = drawn("svg", {viewBox: "0 0 16 16"});
    lock.append(drawn("rect", {x: 3, y: 7, width: 10, height: 7, rx: 1.5}), drawn("path", {d: "M5.2 7V5a2.8 2.8 0 0 1 5.6 0v2"}));
    made.append(lock);
  }
  return made;
}

const KINDS = {VIDEO: "video", ARTICLE: "article", CODE_EXAMPLE: "code example", INTERACTIVE: "exercise", PDF: "document"};

const LOCKS = {
  not_signed_in: () => "sign in first",
  not_entitled: () => "not in your plan",
  not_enrolled: () => "opens after you enrol",
  not_released_yet: (lock) => `opens on ${day(lock.released_at)}`,
};

function why(lock) { return LOCKS[lock.reason](lock); }

const EVERY = {MONTHLY: " a month", ANNUAL: " a year"};

// A refusal in words, and what to do about it; anything else is thrown on.
function refused(error, place) {
  if (error.status === 401) return place.replaceChildren(make("p", {kind: "flush"}, "Sign in to see this: the link is above."));
  if (![402, 403, 404].includes(error.status)) throw error;
  place.replaceChildren(make("p", {kind: error.status === 402 ? "" : "flush"}, error.message));
  if (error.status === 402)
    place.append(
      make("ul", {}, ...error.document.products.map((each) =>
        make("li", {}, `${each.name}: ${money(each)}${EVERY[each.interval] || ""}`))),
      make("a", {kind: "button", href: "/prices"}, "Look at the prices"));
}

// The little Markdown of questions: fences, `code`, **bold**; text stays text.
function prose(text) {
  const place = make("div", {kind: "stem"});
  for (const [number, part] of text.split(/^```\w*\n([\s\S]*?)^```[^\S\n]*$/m).entries()) {
    if (number % 2) { place.append(make("pre", {}, make("code", {}, part.replace(/\n$/, "")))); continue; }
    for (const paragraph of part.split(/\n{2,}/).map((each) => each.trim()).filter(Boolean))
      place.append(make("p", {}, ...inline(paragraph)));
  }
  return place;
}

function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).filter(Boolean).map((piece) =>
    piece.length > 2 && piece.startsWith("`") ? make("code", {}, piece.slice(1, -1))
      : piece.length > 4 && piece.startsWith("**") ? make("strong", {}, piece.slice(2, -2)) : piece);
}

// Runs what a button does, with the button off meanwhile and what went wrong told.
function pressed(work) {
  return async (event) => {
    const button = event.currentTarget;
    button.disabled = true;
    $("[role=alert]").className = "result";
    $("[role=alert]").textContent = "";
    try { await work(); }
    catch (error) { complain(error.message); }
    button.disabled = false;
  };
}
