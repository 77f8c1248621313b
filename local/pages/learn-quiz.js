// One question of a quiz: shown to be answered, or with its solution. `changed` is called with the
// answer as the API takes it, null when it is cleared.
function answerable(item, media, changed) {
  const question = item.question, given = item.answer?.response;
  switch (question.type) {
    case "SINGLE_BEST": return choices(question.options, "radio", item, [given?.option_id], ([id]) => changed(id ? {type: question.type, option_id: id} : null));
    case "MULTI_SELECT": return make("div", {}, question.select && make("p", {kind: "small soft"}, `Choose ${question.select}.`),
      choices(question.options, "checkbox", item, given?.option_ids || [], (ids) => changed({type: question.type, option_ids: ids})));
    case "ORDERING": return ordering(question, given?.option_ids, (ids) => changed({type: question.type, option_ids: ids}));
    case "HOT_SPOT": return hotSpot(question, media, given, (x, y) => changed({type: question.type, x, y}));
    default: return sections(item, given?.option_ids || [], (ids) => changed({type: question.type, option_ids: ids}));
  }
}

function choices(options, type, item, chosen, changed) {
  const place = make("div", {kind: "choices"});
  for (const option of options) {
    const input = make("input", {type, name: `q-${item.question_id}`, value: option.id, checked: chosen.includes(option.id), onchange: () =>
      changed([...place.querySelectorAll("input:checked")].map((each) => each.value))});
    place.append(make("label", {kind: "choice"}, input, make("span", {}, ...inline(option.content))));
  }
  return place;
}

function sections(item, chosen, changed) {
  const made = make("div", {});
  const all = () => [...made.querySelectorAll("input:checked")].map((each) => each.value);
  for (const section of item.question.sections)
    made.append(make("h3", {}, section.title), prose(section.prompt), choices(section.options, "checkbox", item, chosen, () => changed(all())));
  return made;
}

function ordering(question, given, changed) {
  const order = given?.length ? given.map((id) => question.options.find((each) => each.id === id)) : [...question.options];
  const list = make("ol", {kind: "order"});
  function move(from, to) {
    order.splice(to, 0, ...order.splice(from, 1));
    draw();
    changed(order.map((each) => each.id));
    list.children[to].querySelector("button:not([disabled])").focus();
  }
  function draw() {
    list.replaceChildren(...order.map((option, at) => make("li", {}, make("span", {kind: "grow"}, ...inline(option.content)),
      make("button", {kind: "plain run", "aria-label": `Move up: ${option.content}`, disabled: at === 0, onclick: () => move(at, at - 1)}, "↑"),
      make("button", {kind: "plain run", "aria-label": `Move down: ${option.content}`, disabled: at === order.length - 1, onclick: () => move(at, at + 1)}, "↓"))));
  }
  draw();
  return list;
}

function picture(question, media) {
  const {width, height, key, alt} = question.media;
  const over = drawn("svg", {viewBox: `0 0 ${width} ${height}`}, "over");
  const image = make("img", {src: `${media}/${key}`, alt, width, height});
  return {over, width, place: make("div", {kind: "spot"}, image, over)};
}

function point(width, x, y, kind) { return drawn("circle", {cx: x, cy: y, r: width / 60}, kind); }

function hotSpot(question, media, given, changed) {
  const {over, width, place} = picture(question, media);
  if (given) over.append(point(width, given.x, given.y, "own"));
  place.classList.add("asked");
  over.addEventListener("click", (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(over.getScreenCTM().inverse());
    over.replaceChildren(point(width, at.x, at.y, "own"));
    changed(Math.round(at.x * 10) / 10, Math.round(at.y * 10) / 10);
  });
  return make("div", {}, make("p", {kind: "small soft"}, "Click on the place."), place);
}

const SHAPES = {
  rect: ({x, y, width, height}) => drawn("rect", {x, y, width, height}, "key"),
  circle: ({cx, cy, r}) => drawn("circle", {cx, cy, r}, "key"),
  polygon: ({points}) => drawn("polygon", {points: points.map((each) => each.join(",")).join(" ")}, "key"),
};

// The question with what was answered, what would have been right, and why.
function solved(item, media) {
  const {solution} = item, given = item.answer?.response || {};
  const chosen = given.option_ids || [given.option_id];
  const line = (option) => {
    const isRight = solution.key.includes(option.id), isOwn = chosen.includes(option.id);
    return make("li", {kind: isRight ? "right" : isOwn ? "wrong" : ""}, make("span", {kind: "mark"}, isRight ? "✓" : isOwn ? "✗" : ""),
      make("div", {kind: "grow"}, ...inline(option.content), option.feedback && make("div", {kind: "small soft"}, option.feedback)),
      isOwn && make("span", {kind: "small soft"}, "your answer"), option.points !== null && make("span", {kind: "small soft"}, `${option.points} points`));
  };
  const made = make("div", {});
  if (solution.type === "HOT_SPOT") {
    const {over, width, place} = picture(solution, media);
    over.append(...solution.regions.map((each) => SHAPES[each.shape](each)));
    if ("x" in given) over.append(point(width, given.x, given.y, item.is_correct ? "own" : "own wrong"));
    made.append(place);
  } else if (solution.type === "ORDERING") {
    const named = (ids) => make("ol", {}, ...ids.map((id) => make("li", {}, ...inline(solution.options.find((each) => each.id === id).content))));
    made.append(make("p", {kind: "small soft flush"}, "Right order:"), named(solution.key));
    if (given.option_ids && !item.is_correct) made.append(make("p", {kind: "small soft flush"}, "Yours:"), named(given.option_ids));
  } else
    made.append(make("ul", {kind: "list options"}, ...solution.options.map(line)),
      ...solution.sections.flatMap((each) => [make("h3", {}, each.title), prose(each.prompt), make("ul", {kind: "list options"}, ...each.options.map(line))]));
  const why = prose(solution.rationale);
  why.classList.add("note");
  made.append(why);
  return made;
}

function questionCard(item, media, inside, status) {
  const stem = prose(item.question.stem);
  const hasPicture = item.question.media && item.question.type !== "HOT_SPOT";
  return make("section", {},
    make("div", {kind: "row"}, make("h2", {kind: "grow"}, `Question ${item.position}`), status),
    stem, hasPicture && picture(item.question, media).place, inside);
}
