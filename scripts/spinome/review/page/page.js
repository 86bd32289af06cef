// The page of `spinome review`. An answer is first put into the browser's own store, then sent, and taken out of the
// store only when the server says that it is on the disk: a closed window or a dead server loses none.
"use strict";

const UNSENT = "spinome-unsent:", RETRY_MS = 1500, AHEAD = 8, SHEET = 24, STEP_PX = 4,
  // who answers faster than this does not wait for a movable view, and the server need not make one
  LOOK_MS = 300,
  // width of the brush that paints the extent of a synapse, as a share of the picture's
  BRUSH = 0.03, MOST_STROKES = 150, MOST_POINTS = 4000;
const find = (name) => document.getElementById(name);
const state = {
  who: localStorage.getItem("spinome-who") || "", kind: "", mode: "one", queue: [], cache: new Map(), done: new Set(),
  skipped: new Set(), failed: new Set(), current: null, shown: 0, slice: 0, contrast: 1, colours: true, history: [], cursor: null,
  movable: false, wanted: localStorage.getItem("spinome-movable") !== "off", looking: 0, marks: [], strokes: [], brush: false, stroke: null, tiles: [], tile: 0, sending: null, editing: null, kinds: [], generation: 0,
};

async function ask(what, values = {}) {
  const reply = await fetch(`/api/${what}?${new URLSearchParams(values)}`);
  const told = await reply.json();
  if (!reply.ok) throw Object.assign(new Error(told.error), { status: reply.status });
  return told;
}

function banner(message) {
  find("banner").hidden = !message;
  find("banner").textContent = message || "";
}

// one entry for each answer: another window of this browser writes to the store at the same time, and of one list for
// all that both read and write anew the answers of the other window would be lost
function unsent() {
  const kept = Object.keys(localStorage).filter((name) => name.startsWith(UNSENT))
    .map((name) => JSON.parse(localStorage.getItem(name))).filter(Boolean);
  return kept.sort((one, other) => one.time - other.time).map((one) => one.row);
}

function keep(row) {
  const time = performance.timeOrigin + performance.now();
  localStorage.setItem(UNSENT + row.answer_id, JSON.stringify({ time, row }));
}

const drop = (name) => localStorage.removeItem(UNSENT + name);

function identity() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// resolves when all is sent, or the server did not answer
function send() {
  state.sending = state.sending || deliver().finally(() => { state.sending = null; });
  return state.sending;
}

async function deliver() {
  let row;
  while ((row = unsent()[0])) {
    try {
      const reply = await fetch("/api/answer", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(row),
      });
      const told = await reply.json();
      if (reply.status === 400) {
        drop(row.answer_id);
        banner(`An answer was refused: ${told.error}`);
        continue;
      }
      if (!reply.ok) throw new Error(told.error);
      drop(row.answer_id);
      banner(told.gone ? "The run has been made anew. Your answer is kept, and is found again by its place." : "");
    } catch (error) {
      const why = error instanceof TypeError ? "the server does not answer; start `spinome review` again" : error.message;
      banner(`${unsent().length} answer(s) kept in this browser and not yet written: ${why}`);
      setTimeout(send, RETRY_MS);
      return;
    }
  }
  progress();
}

// an answer may be several rows: what is said of a whole track is said of its links
function put(rows, entry) {
  const full = rows.map((row) => ({ ...row, who: state.who, answer_id: identity() }));
  full.forEach(keep);
  if (entry) state.history.push({ ...entry, rows: full });
  send();
  return full;
}

const taken = (row) => ({
  ...row, answer: "", replaces: row.answer_id, note: "", id: null, projected: false, extent: "", seen_z_um: null,
});

// rows in place of those of an earlier answer to the same question
function instead(rows, earlier) {
  const fresh = rows.map((row, number) => (earlier[number] ? { ...row, replaces: earlier[number].answer_id } : row));
  return [...fresh, ...earlier.slice(rows.length).map(taken)];
}

let asked = 0;
async function progress() {
  const number = ++asked;
  let told;
  try { told = await ask("state", { who: state.who }); } catch (error) { banner(error.message); return; }
  if (number !== asked) return;
  state.kinds = told.kinds;
  state.movable = told.movable && webgl;
  const nav = find("kinds");
  nav.replaceChildren(...told.kinds.map((one) => {
    const button = document.createElement("button");
    button.textContent = `${one.kind} ${one.answered}/${one.questions}`;
    button.setAttribute("aria-pressed", String(one.kind === state.kind));
    button.onclick = () => choose(one.kind);
    return button;
  }));
  const own = told.kinds.find((one) => one.kind === state.kind);
  const words = [];
  if (own) {
    words.push(`${own.answered} of ${own.questions} answered`, `${own.matter} left that matter`);
    if (told.rate) words.push(`${told.rate} answers per minute`);
    const [value, low, high] = own.accuracy;
    const name = ["spine", "synapse", "patch"].includes(own.kind) ? "precision" : "right";
    if (value !== null) {
      const range = `${low.toFixed(2)} to ${high.toFixed(2)}`;
      words.push(`${name} ${value.toFixed(2)} (${range}) after ${own.random} random answers`);
    }
    for (const pair of told.agreement.filter((one) => one.kind === own.kind)) {
      const kappa = pair.kappa === null ? "" : `, kappa ${pair.kappa.toFixed(2)}`;
      words.push(`${pair.first} and ${pair.second}: ${pair.same} of ${pair.both} alike${kappa}`);
    }
  } else if (!told.kinds.length) words.push("There are no results yet to ask about; this page looks again.");
  if (told.marks) words.push(`${told.marks} marked`);
  words.push(...told.faults);
  find("progress").textContent = words.join(" · ");
}

async function choose(kind) {
  Object.assign(state, { kind, queue: [], skipped: new Set(), failed: new Set(), editing: null });
  clear("One moment …");
  history.replaceState(null, "", `#${kind}`);
  await progress();
  await show(state.mode);
}

async function refill() {
  const told = await ask("queue", { kind: state.kind, who: state.who });
  const open = told.filter((one) => !state.done.has(one.id) && !state.failed.has(one.id));
  const shown = state.current ? state.current.id : null;
  const fresh = open.filter((one) => !state.skipped.has(one.id) && one.id !== shown);
  if (!fresh.length) state.skipped.clear();
  state.queue = fresh.length ? fresh : open;
}

function load(name) {
  if (!state.cache.has(name)) {
    const made = ask("question", { id: name }).then(async (question) => {
      for (const view of question.views) {
        view.picture = new Image();
        view.picture.src = view.image;
        view.over = view.overlay ? new Image() : null;
        if (view.over) view.over.src = view.overlay;
        await Promise.all([view.picture, view.over].filter(Boolean).map((one) => one.decode()));
        view.image = view.overlay = "";
      }
      return question;
    });
    made.catch(() => state.cache.delete(name));
    state.cache.set(name, made);
    if (state.cache.size > 80) state.cache.delete(state.cache.keys().next().value);
  }
  return state.cache.get(name);
}

async function next() {
  const generation = ++state.generation;
  const again = () => { if (generation === state.generation) next(); };
  if (!state.queue.length) {
    let failed = false;
    try { await refill(); } catch (error) { banner(error.message); failed = true; }
    if (generation !== state.generation) return;
    if (failed) {
      clear("One moment …");
      setTimeout(again, RETRY_MS);
      return;
    }
  }
  // the queue may have been fetched while an answer was on its way
  state.queue = state.queue.filter((one) => !state.done.has(one.id));
  const entry = state.queue[0];
  if (!entry && unsent().length) {
    // to the server these are questions still to be asked: it names others once it has the answers
    clear("One moment …");
    await send();
    setTimeout(again, unsent().length ? RETRY_MS : 0);
    return;
  }
  if (!entry) {
    clear(state.kind ? "All questions of this kind are answered." : "");
    return;
  }
  const made = load(entry.id);
  for (const later of state.queue.slice(1, AHEAD + 1)) load(later.id).catch(() => {});
  try {
    const question = await made;
    if (generation !== state.generation) return;
    state.queue.shift();
    open(question, entry.drawn);
  } catch (error) {
    if (generation !== state.generation) return;
    // gone since it was drawn, or its picture cannot be made
    state.queue.shift();
    if (error.status === 410) state.done.add(entry.id); else if (error.status) state.failed.add(entry.id);
    banner(error.status && error.status !== 410 ? `A question is left out: ${error.message}` : error.message);
    setTimeout(next, error.status ? 0 : RETRY_MS);
  }
  if (state.queue.length < AHEAD) refill().catch(() => {});
}

const windowName = identity();
const webgl = Boolean(document.createElement("canvas").getContext("webgl2"));

// the pictures are there at once; the movable view comes when it is made, and what it showed before is hidden till then
function look() {
  clearTimeout(state.looking);
  const question = state.current, frame = find("frame");
  frame.className = "waiting";
  find("movable").hidden = !(question && question.movable && state.movable && state.wanted);
  if (find("movable").hidden) return;
  state.looking = setTimeout(async () => {
    let told;
    try { told = await ask("view", { id: question.id, window: windowName }); } catch (error) { told = {}; }
    if (state.current !== question) return;
    if (!told.address) { find("movable").hidden = true; return; }
    if (frame.src !== told.address) frame.src = told.address;
    frame.className = "";
  }, LOOK_MS);
}

function clear(text) {
  Object.assign(state, { current: null, strokes: [], stroke: null });
  find("brush").hidden = true;
  look();
  find("text").textContent = text;
  find("context").textContent = "";
  find("answers").replaceChildren();
  find("views").replaceChildren();
}

function open(question, drawn, editing = null) {
  Object.assign(state, {
    current: question, drawn, editing, shown: performance.now(), cursor: null, marks: [], strokes: [], stroke: null,
    brush: state.brush && paintable(question),
  });
  find("brush").hidden = !paintable(question);
  find("brush").setAttribute("aria-pressed", String(state.brush));
  state.slice = 0;
  state.moved = false;
  find("note").value = editing ? editing.note : "";
  find("text").textContent = question.text;
  const way = editing ? "your answer, to be changed" : drawn === "random" ? "drawn by lot" : "by worth";
  find("context").textContent = [...question.context, way].join(" · ");
  find("answers").replaceChildren(...question.answers.map((answer, number) => {
    const button = document.createElement("button");
    if (answer.colour) {
      const swatch = document.createElement("span");
      swatch.className = "swatch";
      swatch.style.background = answer.colour;
      button.append(swatch);
    }
    const key = document.createElement("kbd");
    key.textContent = number + 1;
    const word = document.createElement("span");
    word.textContent = ` ${answer.word}`;
    if (number === question.now) { word.className = "now"; word.title = "what the run says"; }
    button.append(key, word);
    const given = editing && editing.answer === answer.answer && String(editing.chosen) === String(answer.chosen);
    button.setAttribute("aria-pressed", String(Boolean(given)));
    button.onclick = () => answerWith(number);
    return button;
  }));
  find("views").replaceChildren(...question.views.map((view, number) => {
    const figure = document.createElement("figure"), caption = document.createElement("figcaption");
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = view.side_px;
    canvas.className = view.unit ? "marks" : "";
    canvas.setAttribute("role", "img");
    canvas.style.touchAction = state.brush ? "none" : "";
    const place = (event) => {
      const box = canvas.getBoundingClientRect(), scale = view.side_px / box.width;
      return [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    };
    canvas.onclick = (event) => { if (!state.brush) mark(number, ...place(event)); };
    canvas.onpointerdown = (event) => {
      if (!state.brush || !view.unit) return;
      event.preventDefault();
      canvas.setPointerCapture(event.pointerId);
      state.stroke = dab(number, ...place(event));
    };
    canvas.onpointermove = (event) => {
      if (!state.stroke) return;
      const [x, y] = place(event), [lastX, lastY] = state.stroke.way[state.stroke.way.length - 1];
      // points as near as these tell no more
      const far = Math.hypot(x - lastX, y - lastY) >= brushOf(view) / 2;
      if (far && painted() < MOST_POINTS) { state.stroke.way.push([x, y]); draw(); }
    };
    canvas.onpointerup = canvas.onpointercancel = () => { state.stroke = null; };
    canvas.onwheel = (event) => {
      if (view.slices < 2) return;
      event.preventDefault();
      move(Math.sign(event.deltaY));
    };
    figure.append(caption, canvas);
    return figure;
  }));
  draw();
  look();
}

function slideOf(view) { return Math.min(Math.max(view.first + state.slice, 0), view.slices - 1); }

function draw() {
  const question = state.current;
  if (!question) return;
  [...find("views").children].forEach((figure, number) => {
    const view = question.views[number], canvas = figure.lastChild, slide = slideOf(view);
    paint(canvas, view, slide);
    const depth = (view.z_um + slide * view.step_um).toFixed(2);
    const side = (view.side_px * view.um_per_px).toFixed(1);
    const where = view.slices > 1 ? `, slice ${slide + 1} of ${view.slices}` : "";
    figure.firstChild.textContent = `${view.title}${where}, ${side} um wide`;
    canvas.setAttribute("aria-label", `${view.title}, depth ${depth} um`);
    const pen = canvas.getContext("2d");
    for (const one of state.strokes.filter((own) => own.view === number && own.slide === slide)) smear(pen, one);
    for (const one of state.marks.filter((own) => own.view === number)) cross(pen, one.x, one.y, "#F0E442");
    if (state.cursor && state.cursor.view === number) cross(pen, state.cursor.x, state.cursor.y, "#56B4E9");
  });
}

function paint(canvas, view, slide) {
  const pen = canvas.getContext("2d"), side = view.side_px;
  pen.filter = `contrast(${state.contrast})`;
  pen.drawImage(view.picture, 0, slide * side, side, side, 0, 0, side, side);
  pen.filter = "none";
  if (view.over && state.colours) pen.drawImage(view.over, 0, slide * side, side, side, 0, 0, side, side);
  if (!view.over && state.colours && view.unit) corners(pen, side);
}

function corners(pen, side) {
  // four ticks around the place, which leave it free to be seen
  const middle = side / 2, far = Math.max(side / 9, 12), near = far * 0.55;
  for (const [width, colour] of [[4, "#000"], [2, "#fff"]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.beginPath();
    for (const [x, y] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(middle + x * near, middle + y * near);
      pen.lineTo(middle + x * far, middle + y * far);
    }
    pen.stroke();
  }
}

const paintable = (question) => Boolean(question) && question.kind === "synapse";
const brushOf = (view) => BRUSH * view.side_px;

const painted = () => state.strokes.reduce((count, stroke) => count + stroke.way.length, 0);

function dab(number, x, y) {
  // what the server would not take is not painted
  if (state.strokes.length >= MOST_STROKES || painted() >= MOST_POINTS) return null;
  const view = state.current.views[number], stroke = { view: number, slide: slideOf(view), way: [[x, y]], radius: brushOf(view) };
  state.strokes.push(stroke);
  draw();
  return stroke;
}

function smear(pen, stroke) {
  pen.save();
  pen.globalAlpha = 0.45;
  pen.strokeStyle = "#56B4E9";
  pen.lineWidth = 2 * stroke.radius;
  pen.lineCap = pen.lineJoin = "round";
  pen.beginPath();
  pen.moveTo(...stroke.way[0]);
  // a line of no length is drawn as a dot where its ends are round
  for (const point of [...stroke.way, stroke.way[stroke.way.length - 1]]) pen.lineTo(...point);
  pen.stroke();
  pen.restore();
}

function paintBrush(on) {
  state.brush = on && paintable(state.current);
  find("brush").setAttribute("aria-pressed", String(state.brush));
  for (const figure of find("views").children) figure.lastChild.style.touchAction = state.brush ? "none" : "";
}

// what was painted, in um, for an answer that says that there is a synapse
function extentOf(answer) {
  if (!state.strokes.length || !["synapse", "missed synapse"].includes(answer)) return {};
  const round = (value) => Math.round(value * 10000) / 10000;
  const strokes = state.strokes.map((stroke) => {
    const view = state.current.views[stroke.view], um = view.um_per_px, half = view.side_px / 2;
    return {
      z_um: round(view.z_um + stroke.slide * view.step_um), radius_um: round(stroke.radius * um),
      way_um: stroke.way.map(([x, y]) => [round(view.y_um + (y - half) * um), round(view.x_um + (x - half) * um)]),
    };
  });
  return { extent: JSON.stringify(strokes) };
}

function cross(pen, x, y, colour) {
  for (const [width, own] of [[5, "#000"], [2, colour]]) {
    pen.strokeStyle = own;
    pen.lineWidth = width;
    pen.beginPath();
    pen.moveTo(x - 9, y); pen.lineTo(x + 9, y); pen.moveTo(x, y - 9); pen.lineTo(x, y + 9);
    pen.stroke();
  }
}

// the slice in which a spine was seen: only one that was moved to says something
function depthOf(question, answer) {
  const view = question.views.find((one) => one.slices > 1 && one.unit === question.row.unit);
  if (question.kind !== "spine" || answer !== "spine" || !state.moved || !view) return {};
  return { seen_z_um: view.z_um + slideOf(view) * view.step_um };
}

function move(step) {
  state.moved = true;
  const most = Math.max(...state.current.views.map((view) => view.slices));
  state.slice = Math.min(Math.max(state.slice + step, -most), most);
  draw();
}

function named() {
  if (state.who.trim()) return true;
  banner("Write your name first: answers say who gave them.");
  find("who").focus();
  return false;
}

function rowsOf(question, answer, drawn) {
  if (answer.rows) return answer.rows.map((row) => ({ ...row, drawn }));
  const places = Object.fromEntries(["next_z_um", "next_y_um", "next_x_um"].filter((one) => answer[one] !== undefined)
    .map((one) => [one, answer[one]]));
  const chosen = answer.chosen === null ? null : answer.chosen;
  return [{ ...question.row, ...places, id: question.id, answer: answer.answer, chosen, drawn }];
}

function answerWith(number) {
  const question = state.current;
  if (!question || !question.answers[number] || !named()) return;
  const note = find("note").value, seconds = Math.round(performance.now() - state.shown) / 1000;
  const rows = rowsOf(question, question.answers[number], state.drawn)
    .map((row) => ({ ...row, note, seconds, ...extentOf(row.answer), ...depthOf(question, row.answer) }));
  const editing = state.editing;
  // who changes a word keeps what was painted
  if (editing && editing.extent && rows[0].answer === "synapse" && !rows[0].extent) rows[0].extent = editing.extent;
  // and, who does not move, the slice in which a spine was seen
  if (editing && rows[0].answer === "spine" && !state.moved) rows[0].seen_z_um = editing.seen_z_um;
  state.done.add(question.id);
  put(editing ? instead(rows, [editing]) : rows, { question, drawn: state.drawn });
  find("note").blur();
  if (editing) { show("list"); } else { state.current = null; next(); }
}

function mark(number, x, y) {
  const view = state.current && state.current.views[number];
  if (!view || !view.unit || !named()) return;
  const spine = ["spine", "same spine", "track"].includes(state.current.kind);
  const place = (pixel) => (pixel / view.side_px - 0.5) * view.side_px * view.um_per_px;
  const kind = spine ? "missed spine" : "missed synapse";
  const row = {
    kind, answer: kind, unit: view.unit, z_um: view.z_um + slideOf(view) * view.step_um, y_um: view.y_um + place(y),
    seen_z_um: spine && view.slices > 1 ? view.z_um + slideOf(view) * view.step_um : null,
    x_um: view.x_um + place(x), drawn: "by hand", provenance: state.current.row.provenance, note: find("note").value,
    projected: spine && view.slices === 1, ...extentOf(kind),
  };
  state.strokes = [];
  state.marks.push({ view: number, x, y });
  state.cursor = null;
  put([row], { marked: true });
  draw();
}

function undo() {
  if (state.mode === "one" && state.strokes.length) { state.strokes.pop(); draw(); return; }
  const last = state.history.pop();
  if (!last) return;
  put(last.rows.filter((row) => row.answer).map(taken), null);
  if (last.marked) { state.marks.pop(); draw(); return; }
  if (state.current && state.mode === "one") state.queue.unshift({ id: state.current.id, drawn: state.drawn });
  state.done.delete(last.question.id);
  if (state.mode !== "one") { show(state.mode); return; }
  ++state.generation;
  open(last.question, last.drawn);
}

function skip() {
  if (!state.current) return;
  state.skipped.add(state.current.id);
  state.current = null;
  next();
}

async function show(mode) {
  state.mode = mode;
  for (const name of ["one", "sheet", "list"]) find(name).hidden = name !== mode;
  for (const button of find("modes").children) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  if (mode === "one") { state.editing = null; await next(); }
  if (mode === "sheet") await sheet();
  if (mode === "list") await list();
}

async function sheet() {
  const generation = ++state.generation;
  try { await refill(); } catch (error) { banner(error.message); return; }
  if (generation !== state.generation) return;
  state.tiles = state.queue.splice(0, SHEET).map((entry) => ({ ...entry, answer: null }));
  state.tile = 0;
  find("tiles").replaceChildren(...state.tiles.map((tile, number) => {
    const button = document.createElement("button");
    button.className = "tile";
    button.onclick = () => { state.tile = number; turn(number); };
    button.append(document.createElement("canvas"), document.createElement("span"));
    return button;
  }));
  for (const [number, tile] of state.tiles.entries()) {
    try { tile.question = await load(tile.id); } catch { continue; }
    if (generation !== state.generation) return;
    const view = tile.question.views[0], canvas = find("tiles").children[number].firstChild;
    if (view) {
      canvas.width = canvas.height = view.side_px;
      paint(canvas, view, view.first);
    }
    label(number);
  }
}

function label(number) {
  [...find("tiles").children].forEach((one, other) => one.setAttribute("aria-pressed", String(other === state.tile)));
  const tile = state.tiles[number];
  if (!tile || !tile.question) return;
  const now = tile.question.answers[tile.question.now];
  const given = tile.answer === null ? `run: ${now ? now.word : "?"}` : `✓ ${tile.question.answers[tile.answer].word}`;
  find("tiles").children[number].lastChild.textContent = given;
}

function answerTile(number, answer) {
  const tile = state.tiles[number];
  if (!tile || !tile.question || !tile.question.answers[answer] || !named()) return;
  const rows = rowsOf(tile.question, tile.question.answers[answer], tile.drawn);
  const sent = put(instead(rows, tile.sent || []), { question: tile.question, drawn: tile.drawn });
  tile.sent = sent.filter((row) => row.answer);
  tile.answer = answer;
  state.done.add(tile.id);
  label(number);
}

// a click gives the next answer after the one that is shown
function turn(number) {
  const tile = state.tiles[number];
  if (!tile || !tile.question) return;
  const start = tile.answer === null ? tile.question.now : tile.answer;
  answerTile(number, start === null ? 0 : (start + 1) % tile.question.answers.length);
}

async function list() {
  // an answer that was just changed is listed as it is now
  await send();
  let told;
  try { told = await ask("answers", { who: state.who }); } catch (error) { banner(error.message); return; }
  find("rows").replaceChildren(...told.map((one) => {
    const row = document.createElement("tr");
    const where = `${one.unit}, z ${one.z_um.toFixed(2)}, y ${one.y_um.toFixed(2)}, x ${one.x_um.toFixed(2)}`;
    const said = one.chosen ? `${one.answer} ${one.chosen}` : one.answer;
    for (const text of [one.kind, where, said, one.note]) {
      const cell = document.createElement("td");
      cell.textContent = text;
      row.append(cell);
    }
    const cell = document.createElement("td");
    if (one.id) {
      const change = document.createElement("button");
      change.textContent = "Change";
      change.onclick = async () => {
        const question = await load(one.id);
        state.generation++;
        state.kind = question.kind;
        for (const name of ["one", "sheet", "list"]) find(name).hidden = name !== "one";
        state.mode = "one";
        open(question, one.drawn, one);
      };
      cell.append(change);
    }
    const back = document.createElement("button");
    back.textContent = "Take back";
    back.onclick = () => {
      const { id, ...rest } = one;
      put([taken(rest)], null);
      if (id) state.done.delete(id);
      row.remove();
    };
    cell.append(back);
    row.append(cell);
    return row;
  }));
}

function steer(event) {
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (event.key === "Escape") state.cursor = null;
  else if (event.key === "Enter" && state.brush) dab(state.cursor.view, state.cursor.x, state.cursor.y);
  else if (event.key === "Enter") return mark(state.cursor.view, state.cursor.x, state.cursor.y);
  else if (event.key === "PageUp") move(-1);
  else if (event.key === "PageDown") move(1);
  else if (step) {
    const most = state.current.views[state.cursor.view].side_px - 1, pace = event.shiftKey ? 1 : STEP_PX;
    state.cursor.x = Math.min(Math.max(state.cursor.x + pace * step[0], 0), most);
    state.cursor.y = Math.min(Math.max(state.cursor.y + pace * step[1], 0), most);
  } else return undefined;
  draw();
  return true;
}

function key(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.tagName === "INPUT") {
    if (event.key === "Enter" || event.key === "Escape") event.target.blur();
    return;
  }
  const digit = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : null;
  const inSheet = state.mode === "sheet", inOne = state.mode === "one" && state.current;
  if (inOne && state.cursor) { if (steer(event) !== undefined) event.preventDefault(); return; }
  if (inSheet && digit !== null) { answerTile(state.tile, digit); state.tile++; label(state.tile); }
  else if (inSheet && event.key === " ") {
    const tile = state.tiles[state.tile];
    if (tile && tile.question && tile.question.now !== null) answerTile(state.tile, tile.question.now);
    state.tile = Math.min(state.tile + 1, state.tiles.length - 1);
    label(state.tile);
  } else if (inSheet && ["ArrowLeft", "ArrowRight"].includes(event.key)) {
    state.tile = Math.min(Math.max(state.tile + (event.key === "ArrowLeft" ? -1 : 1), 0), state.tiles.length - 1);
    label(state.tile);
  } else if (event.key === "u") undo();
  else if (inOne && digit !== null) answerWith(digit);
  else if (inOne && event.key === " ") { if (state.current.now !== null) answerWith(state.current.now); }
  else if (inOne && event.key === "s") skip();
  else if (inOne && event.key === "n") find("note").focus();
  else if (inOne && event.key === "ArrowUp") move(-1);
  else if (inOne && event.key === "ArrowDown") move(1);
  else if (inOne && "[]".includes(event.key)) {
    state.contrast = Math.min(Math.max(state.contrast * (event.key === "]" ? 1.25 : 0.8), 0.3), 6);
    draw();
  } else if (inOne && event.key === "o") { state.colours = !state.colours; draw(); }
  else if (inOne && event.key === "b") paintBrush(!state.brush);
  else if (inOne && event.key === "v") {
    state.wanted = !state.wanted;
    localStorage.setItem("spinome-movable", state.wanted ? "on" : "off");
    look();
  } else if (inOne && event.key === "m") {
    const view = state.current.views.findIndex((one) => one.unit);
    if (view >= 0) {
      const middle = state.current.views[view].side_px / 2;
      state.cursor = { view, x: middle, y: middle };
      draw();
    }
  } else return;
  event.preventDefault();
}

async function begin() {
  find("who").value = state.who;
  find("who").onchange = () => {
    state.who = find("who").value.trim();
    localStorage.setItem("spinome-who", state.who);
    state.done.clear();
    choose(state.kind);
  };
  for (const button of find("modes").children) button.onclick = () => { button.blur(); show(button.dataset.mode); };
  for (const button of document.querySelectorAll("#tools button")) {
    const act = { u: undo, s: skip, b: () => paintBrush(!state.brush) }[button.dataset.key];
    button.onclick = () => { button.blur(); act(); };
  }
  find("more").onclick = () => { find("more").blur(); sheet(); };
  find("rest").onclick = () => {
    find("rest").blur();
    state.tiles.forEach((tile, number) => {
      if (tile.answer === null && tile.question && tile.question.now !== null) answerTile(number, tile.question.now);
    });
  };
  document.addEventListener("keydown", key);
  // a view that was clicked into takes the keys until the pointer leaves it
  find("frame").onmouseleave = () => { find("frame").blur(); window.focus(); };
  window.addEventListener("beforeunload", (event) => { if (unsent().length) event.preventDefault(); });
  send();
  await progress();
  const wanted = decodeURIComponent(location.hash.slice(1));
  const first = state.kinds.find((one) => one.kind === wanted) || state.kinds[0];
  if (first) await choose(first.kind);
  // a run that is going on brings new questions
  setInterval(async () => {
    await progress();
    if (!state.kind && state.kinds.length) choose(state.kinds[0].kind);
  }, 15000);
}

begin();
