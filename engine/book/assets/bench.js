/** The workbench: a request is told, the policy answers as one types. Everything is kept in this page alone. */
import { byId, choice, data, h, later, t } from "./bench-dom.js";
import { decode, encode, parse, put } from "./bench-request.js";
import { listen, showFields } from "./bench-fields.js";
import { makeVerdict, outcomeWord, shortOutcome } from "./bench-verdict.js";
import { makeEditor } from "./bench-rules.js";

const SOON = 10;
const PATIENCE = 400;
const LATE = 2000;
const state = {
  request: {}, locale: data.language, fresh: true, // fresh: a new request, whose fields are to be put in order
  edits: {}, errors: 0, side: "copy", live: null, copy: null, // the answers of both sides, and the one that is shown
  typed: 0, // when the asker did what is to be answered
};
const isEdited = () => Object.keys(state.edits).length > 0;
const shownAnswer = () => (isEdited() && state.side === "copy" && state.copy) || state.live;

// --- asking ---

/** JSON from an address of the service; throws an Error that says what it said. */
async function call(address, body, signal) {
  const headers = { "Content-Type": "application/json" };
  const options = body ? { method: "POST", headers, body: JSON.stringify(body) } : {};
  const response = await fetch(new URL(`../../bench/${address}`, location), { ...options, signal });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail ?? answer.title ?? `HTTP ${response.status}`);
  return answer;
}

let asking = null;
let again = false;
let asked = 0;

/**
 * Ask for an answer to the request as it is now. A service that is at work cannot be stopped, so there is one question
 * at a time: what changes meanwhile is asked when the answer has come, which then is not shown. Nobody waits long for it.
 */
async function ask() {
  again = asking !== null;
  if (again && performance.now() - asked > LATE) asking.abort();
  if (again) return;
  asking = new AbortController();
  asked = performance.now();
  const waiting = setTimeout(() => panel.setAttribute("aria-busy", "true"), PATIENCE);
  const { typed } = state;
  try {
    // The verdict first: what would be allowed instead, and what it rests on, takes longer to find.
    for (const detail of [null, "full"]) {
      const answers = await answer(asking.signal, detail);
      if (again) break;
      showAnswers(answers, detail ? null : typed);
    }
  } catch (error) {
    if (!again) fail(error);
  }
  clearTimeout(waiting);
  asking = null;
  panel.removeAttribute("aria-busy");
  if (again) ask();
}

/** The answers of the live rules and, where there are edits, of the copy. */
async function answer(signal, detail) {
  const { request, locale, edits } = state;
  const copied = isEdited() && !state.errors ? call("decide", { request, locale, edits, detail }, signal) : Promise.resolve(null);
  const [live, copy] = await Promise.all([call("decide", { request, locale, detail }, signal), copied.catch(() => null)]);
  return { live, copy };
}

function showAnswers(answers, typed) {
  Object.assign(state, answers);
  show();
  if (typed === null) return;
  requestAnimationFrame(() => performance.measure("verdict", { start: typed, end: performance.now() }));
}

const askSoon = later(SOON, ask);

/** Take a request: `fresh` if it is a new one, not a fact more or less. */
function change(request, { fresh = false, event = null } = {}) {
  Object.assign(state, { request, fresh: state.fresh || fresh, typed: event?.timeStamp || performance.now() });
  if (fresh) byId("example").value = "";
  showRequest();
  askSoon();
}

// --- showing ---

const panel = byId("verdict");
const verdict = makeVerdict(panel, applyChange, (place) => editor.open(place));

function applyChange(facts) {
  change(Object.entries(facts).reduce((request, [path, value]) => put(request, path, value), state.request));
  byId("outcome").focus();
}

function show() {
  const answer = shownAnswer();
  if (!answer) return;
  for (const id of ["fields", "further-fields"]) byId(id).lang = state.locale;
  showFields(answer.fields, state.request, state.fresh);
  state.fresh = false;
  verdict.show(answer, state.locale);
  const { outcome, cause, missing, invalid } = answer.decision;
  byId("bar").replaceChildren(shortOutcome(outcome), h("span", {}, t(cause)));
  byId("bar").className = `bar ${outcome}`;
  showSides();
  if (isEdited()) editor.compare(state.live, state.copy);
  const count = (key, { length }) => (length ? t(key, { count: length }) : "");
  const counts = [count("bench.missing_count", missing), count("bench.invalid_count", invalid)];
  announce([`${outcomeWord(outcome)}.`, t(cause), ...counts].filter(Boolean).join(" "));
}

/** No answer is no yes: nothing of the last one stays in sight. */
function fail(error) {
  Object.assign(state, { live: null, copy: null });
  verdict.fail(error.message);
  byId("bar").replaceChildren(t("bench.no_answer"));
  byId("bar").className = "bar";
  announce(`${t("bench.no_answer")} ${error.message}`);
}

const announce = later(600, (text) => {
  if (byId("status").textContent !== text) byId("status").textContent = text;
});

/** Which rules decide, where there is a copy: its outcome and that of the live rules as two choices. */
const sides = h("div", { class: "sides", hidden: true });
const sideNames = { copy: "bench.copy", live: "bench.live" };
const choices = Object.keys(sideNames).map((side) => {
  const choose = () => { state.side = side; show(); };
  const input = h("input", { type: "radio", name: "side", value: side, change: choose });
  const outcome = h("span", { class: "side-outcome" });
  return { side, input, outcome, label: choice(input, t(sideNames[side]), " ", outcome) };
});
const sideText = h("p", { id: "side-text" });
const group = { class: "choices", role: "radiogroup", "aria-labelledby": "side-text" };
sides.append(sideText, h("div", group, choices.map(({ label }) => label)));
panel.prepend(sides);

function showSides() {
  sides.hidden = !isEdited();
  const decides = state.errors || !state.copy ? "live" : state.side;
  const text = state.errors ? "bench.copy_has_errors" : decides === "copy" ? "bench.copy_decides" : "bench.live_decides";
  sideText.textContent = t(text, { count: state.errors });
  for (const { side, input, outcome } of choices) {
    input.checked = side === decides;
    input.disabled = side === "copy" && !state.copy;
    outcome.replaceChildren(state[side] ? shortOutcome(state[side].decision.outcome) : "–");
  }
}

/** The request where it stands outside of the form: the chosen action, JSON, and the address. */
function showRequest() {
  byId("action").value = state.request.action?.name ?? "";
  if (byId("action").selectedIndex < 0) byId("action").value = "";
  if (document.activeElement !== byId("json-text")) {
    byId("json-text").value = JSON.stringify(state.request, null, 2);
    tellJson("");
  }
  remember();
}

const remember = later(300, () => {
  const fragment = encode(state.request);
  history.replaceState(null, "", fragment);
  for (const link of document.querySelectorAll(".languages a")) link.hash = fragment;
});

function notice(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = !text;
}

// --- what the asker does ---

/** Another action is about the same resource and the same people; only its own properties go. */
function chooseAction(event) {
  const name = byId("action").value;
  if (!name) return;
  const { resource, ...rest } = state.request;
  const type = data.actions.find((each) => each.name === name)?.resource;
  const fits = typeof resource === "object" && resource !== null && (!resource.type || !type || resource.type === type);
  change({ ...rest, action: { name }, ...(fits ? { resource } : {}) }, { fresh: true, event });
}

function tellJson(text) {
  byId("json-problem").textContent = text;
  byId("json-text").setAttribute("aria-invalid", Boolean(text));
}

function takeJson(event) {
  try {
    change(parse(byId("json-text").value), { fresh: true, event });
    tellJson("");
  } catch (error) {
    tellJson(t("bench.json_problem", { problem: error.message }));
  }
}

async function copyLink() {
  const field = byId("link");
  field.value = new URL(encode(state.request), location).href;
  try {
    await navigator.clipboard.writeText(field.value);
    byId("copied").textContent = t("bench.copied");
    setTimeout(() => { byId("copied").textContent = ""; }, 4000);
  } catch {
    field.hidden = false;
    field.select();
  }
}

/** The request that the address holds; null where it holds none. What is no request is told, and left alone. */
function fromAddress() {
  notice("");
  try {
    return decode(location.hash);
  } catch {
    notice(t("bench.bad_link"));
    return null;
  }
}

function fillChoices() {
  const options = (pairs) => pairs.map(([value, label]) => h("option", { value }, label));
  const choose = [["", t("bench.choose")]];
  byId("action").append(...options([...choose, ...data.actions.map(({ name, title }) => [name, title || name])]));
  byId("example").append(...options([...choose, ...data.examples.map((each, index) => [index, each.case])]));
  byId("locale").append(...options(Object.entries(data.languages)));
  byId("locale").value = data.language;
}

function take(request, event = null) {
  notice("");
  change(structuredClone(request), { fresh: true, event });
}

// --- edited rules ---

let trying = new AbortController();

async function tryEdits(edits) {
  trying.abort();
  trying = new AbortController();
  const { signal } = trying;
  Object.assign(state, { edits, errors: 0, copy: null });
  if (!isEdited()) {
    editor.show(null);
    ask();
    return;
  }
  showSides();
  const { request, locale } = state;
  try {
    const result = await call("try", { edits, request, locale }, signal);
    if (signal.aborted) return;
    state.errors = result.errors;
    notice(result.problem ?? "");
    editor.show(result);
    // Meanwhile another request may have been told: then this is the answer to an old one.
    if (request !== state.request && !result.errors) ask();
    else state.copy = result.answer;
    show();
    editor.compare(state.live, state.copy);
  } catch (error) {
    if (!signal.aborted) notice(error.message);
  }
}

const editor = makeEditor({
  load: async () => {
    try {
      return (await call("rules")).files;
    } catch (error) {
      notice(error.message);
      return null;
    }
  },
  edited: tryEdits,
  take: (request) => { take(request); byId("outcome").focus(); },
});

// --- beginning ---

fillChoices();
showFields([], state.request, true);
listen((path, value, event) => change(put(state.request, path, value), { event }));
byId("request").addEventListener("submit", (event) => event.preventDefault());
byId("action").addEventListener("change", chooseAction);
byId("example").addEventListener("change", (event) => {
  const index = byId("example").value;
  if (!index) return;
  take(data.examples[index].request, event);
  byId("example").value = index;
});
byId("locale").addEventListener("change", (event) => {
  state.locale = byId("locale").value;
  change(state.request, { fresh: true, event });
});
byId("json-text").addEventListener("input", takeJson);
byId("json-text").addEventListener("blur", () => byId("json-problem").textContent || showRequest());
byId("copy-link").addEventListener("click", copyLink);
byId("start-over").addEventListener("click", () => take(first()));
addEventListener("hashchange", () => {
  const request = location.hash.startsWith("#r=") ? fromAddress() : null;
  if (request) take(request);
});
byId("bar").addEventListener("click", (event) => { event.preventDefault(); byId("outcome").focus(); });

/** What one begins with: the first action, and nothing told. */
const first = () => ({ action: { name: data.actions[0]?.name ?? "" } });
const isPlace = location.hash.length < 2 || byId(location.hash.slice(1)) !== null;
const begun = location.hash.startsWith("#r=") ? fromAddress() : null;
if (!begun && !isPlace) notice(t("bench.bad_link"));
change(begun ?? first(), { fresh: true });
