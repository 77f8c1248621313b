// What pages that are signed in have in common: asking the API, showing amounts and who is there.
function element(name, text, kind) {
  return Object.assign(document.createElement(name), {textContent: text, className: kind || ""});
}

function link(text, address) {
  return Object.assign(element("a", text), {href: address});
}

function complain(text) {
  document.querySelector("[role=alert]").textContent = text;
  document.querySelector("[role=alert]").className = "result bad";
}

async function ask(path, method = "GET", body = undefined) {
  const answer = await fetch(path, {
    method,
    headers: body ? {"Content-Type": "application/json"} : {},
    body: body && JSON.stringify(body),
  });
  const document = await answer.json();
  if (answer.ok) return document;
  const fields = (document.errors || []).map((error) => error.message);
  const error = new Error(answer.status === 401 ? "Sign in first: there is a link above."
    : fields.length ? fields.join(" ") : document.detail);
  throw Object.assign(error, {status: answer.status, document});
}

function money({amount, currency}) {
  const style = {style: "currency", currency: currency.toUpperCase()};
  const format = new Intl.NumberFormat(undefined, style);
  return format.format(amount / 10 ** format.resolvedOptions().maximumFractionDigits);
}

function day(text) {
  return new Date(text).toLocaleDateString(undefined, {dateStyle: "medium"});
}

// What was bought and is in force, by its ids.
function held(explained) {
  const sold = (each) => each.in_force && ["purchase", "subscription"].includes(each.source);
  const all = explained.features.flatMap((each) => each.holdings.filter(sold));
  return [...new Set(all.map((each) => each.id))];
}

// Says who is signed in; false when nobody is.
async function greet() {
  const who = document.querySelector("#who");
  try {
    const me = await ask("/api/users/me");
    who.replaceChildren(`Signed in as ${me.email}. `, link("Courses", "/learn"), " · ",
      link("Billing", "/billing"), " · ", link("Prices", "/prices"),
      " · ", link("Somebody else", "/sign-in"));
    return true;
  } catch (error) {
    if (error.status !== 401) throw error;
    const next = encodeURIComponent(location.pathname + location.search);
    who.replaceChildren("Nobody is signed in: ", link("sign in", `/sign-in?next=${next}`), ".");
    return false;
  }
}
