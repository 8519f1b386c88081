/** An editor for a copy of the rules: findings as one types, and what the edits do to the cases and to the request. */
import { button, byId, h, later, links, refresh, t, ticked } from "./bench-dom.js";
import { shortOutcome } from "./bench-verdict.js";

const WAIT = 250;
const MOST = 100;

/**
 * The editor, in its place. `load()` gets the files, `edited(edits)` hears of all changed texts by name when the author
 * has stopped typing, `take(request)` puts a case's request into the form. Gives `open(place)`, `show(result)` and
 * `compare(live, copy)`.
 */
export function makeEditor({ load, edited, take }) {
  const state = { files: new Map(), texts: new Map(), name: "", findings: [] };
  const ui = build();
  const send = later(WAIT, () => edited(edits(state)));
  const changed = () => { showChanges(state, ui); send(); };

  const open = async (place = null) => {
    if (!state.files.size && !(await fetchFiles(state, ui, load))) return;
    toggle(true);
    draw(state, ui);
    if (place) goTo(state, ui, place);
  };
  byId("open-rules").addEventListener("click", () => (byId("editor").hidden ? open() : toggle(false)));
  ui.file.addEventListener("change", () => openFile(state, ui, ui.file.value));
  ui.text.addEventListener("input", () => {
    state.texts.set(state.name, ui.text.value);
    changed();
    draw(state, ui);
    showPosition(ui);
  });
  ui.text.addEventListener("scroll", () => draw(state, ui));
  for (const event of ["keyup", "click", "focus"]) ui.text.addEventListener(event, () => showPosition(ui));
  new ResizeObserver(() => draw(state, ui)).observe(ui.text);
  const undo = (names) => {
    for (const name of names) state.texts.delete(name);
    openFile(state, ui, state.name);
    changed();
    ui.text.focus();
  };
  ui.resetFile.addEventListener("click", () => undo([state.name]));
  ui.resetAll.addEventListener("click", () => undo([...state.texts.keys()]));
  addEventListener("beforeunload", (event) => { if (Object.keys(edits(state)).length) event.preventDefault(); });
  return {
    open,
    show: (result) => showResult(state, ui, result, take),
    compare: (live, copy) => showCompared(ui, live, copy),
  };
}

function toggle(open) {
  byId("open-rules").setAttribute("aria-expanded", open);
  byId("open-rules").textContent = t(open ? "bench.edit_close" : "bench.edit_open");
  byId("editor").hidden = !open;
}

/** The files whose text differs from that of the live rules. */
function edits({ files, texts }) {
  return Object.fromEntries([...texts].filter(([name, text]) => text !== files.get(name)));
}

async function fetchFiles(state, ui, load) {
  const files = await load();
  if (!files) return false;
  for (const { name, text } of files) state.files.set(name, text.replace(/\r\n?/g, "\n"));
  ui.file.replaceChildren(...[...state.files.keys()].map((name) => h("option", { value: name }, name)));
  openFile(state, ui, files[0]?.name ?? "");
  showChanges(state, ui);
  return true;
}

function build() {
  const ui = {
    file: h("select", { id: "rules-file" }),
    text: h("textarea", {
      id: "rules-text", wrap: "off", spellcheck: "false", autocapitalize: "off", autocomplete: "off",
      "aria-label": t("bench.text_of_file"), "aria-describedby": "rules-keys",
    }),
    gutter: h("div", { class: "gutter", "aria-hidden": "true" }),
    position: h("span", { class: "position" }),
    resetFile: button(t("bench.reset_file")),
    resetAll: button(t("bench.reset_all")),
    exports: h("ul", { class: "buttons" }),
    findings: region("bench.findings"),
    cases: region("bench.cases"),
    compared: h("div"),
  };
  const part = (title, ...content) => h("section", { class: "part" }, h("h3", {}, t(title)), content);
  ui.exporting = h("div", { class: "exporting", hidden: true }, h("h3", {}, t("bench.export")), ui.exports, h("p", { class: "quiet" }, t("bench.export_hint")));
  const keys = h("p", { class: "hint" }, ui.position, " ", h("span", { id: "rules-keys" }, t("bench.keys")));
  byId("editor").append(
    h("div", { class: "tools" }, h("label", { for: "rules-file" }, t("bench.file")), ui.file, ui.resetFile, ui.resetAll),
    h("div", { class: "editor-grid" },
      h("div", {}, h("div", { class: "code" }, ui.gutter, ui.text), keys, ui.exporting),
      h("div", { class: "effects" },
        part("bench.findings", ui.findings),
        part("bench.this_request", ui.compared),
        part("bench.cases", ui.cases))));
  return ui;
}

/** A part that scrolls by itself where it is long, by keyboard too. */
const region = (title) => h("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": t(title) });

function openFile(state, ui, name) {
  state.name = name;
  ui.file.value = name;
  ui.text.value = state.texts.get(name) ?? state.files.get(name) ?? "";
  ui.text.setSelectionRange(0, 0);
  ui.text.scrollTo(0, 0);
  showPosition(ui);
  draw(state, ui);
}

/** Which files are changed, with a way to save each; what is offered is made when it is asked for. */
function showChanges(state, ui) {
  const names = Object.keys(edits(state));
  for (const option of ui.file.options) {
    const file = option.value;
    option.textContent = names.includes(file) ? t("bench.changed_file", { file }) : file;
  }
  ui.resetFile.disabled = !names.includes(state.name);
  ui.resetAll.disabled = !names.length;
  ui.exporting.hidden = !names.length;
  const saver = (file) => button(t("bench.save", { file }), () => save(file, state.texts.get(file)), { "data-key": file });
  refresh(ui.exports, names, () => names.map((name) => h("li", {}, saver(name))));
  if (names.length) return;
  for (const place of [ui.findings, ui.cases, ui.compared]) refresh(place, null, () => quiet("bench.no_edits"));
}

const quiet = (key) => h("p", { class: "quiet" }, t(key));

function save(name, text) {
  const href = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  h("a", { href, download: name.split("/").at(-1) }).click();
  setTimeout(() => URL.revokeObjectURL(href), 10000);
}

/** Numbers of the lines in sight, beside them; those with findings are marked. The text does not wrap: lines are lines. */
function draw(state, ui) {
  const height = parseFloat(getComputedStyle(ui.text).lineHeight);
  if (!height || byId("editor").hidden) return;
  const first = Math.floor(ui.text.scrollTop / height);
  const last = Math.min(ui.text.value.split("\n").length, first + 1 + Math.ceil(ui.text.clientHeight / height));
  const here = state.findings.filter(({ file }) => file === state.name).sort(heavyLast);
  const marks = new Map(here.map(({ line, severity }) => [line, severity]));
  const rows = [];
  for (let line = first + 1; line <= last; line += 1) {
    const severity = marks.get(line);
    rows.push(h("div", { class: severity ? `marked ${severity}` : null }, severity ? `${SIGNS[severity]} ${line}` : line));
  }
  ui.gutter.replaceChildren(...rows);
  ui.gutter.scrollTop = ui.text.scrollTop - first * height;
}

const SIGNS = { error: "✕", warning: "!", note: "·" };
const WEIGHTS = ["note", "warning", "error"];
const heavyLast = (one, other) => WEIGHTS.indexOf(one.severity) - WEIGHTS.indexOf(other.severity);

function showPosition(ui) {
  const before = ui.text.value.slice(0, ui.text.selectionStart);
  const column = [...before.slice(before.lastIndexOf("\n") + 1)].length + 1;
  ui.position.textContent = t("bench.position", { line: before.split("\n").length, column });
}

/** Move the caret to a place that a finding names: lines and columns count characters from 1. */
function goTo(state, ui, { file, line, column }) {
  if (!state.files.has(file)) return;
  if (file !== state.name) openFile(state, ui, file);
  const lines = ui.text.value.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
  const caret = start + [...(lines[line - 1] ?? "")].slice(0, column - 1).join("").length;
  ui.text.focus();
  ui.text.setSelectionRange(caret, caret);
  ui.text.scrollTop = Math.max(0, (line - 6) * parseFloat(getComputedStyle(ui.text).lineHeight));
  showPosition(ui);
}

function showResult(state, ui, result, take) {
  state.findings = result?.findings ?? [];
  draw(state, ui);
  if (!result) return;
  const { findings, cases } = result;
  refresh(ui.findings, findings, () => findingList(state, ui, findings));
  refresh(ui.cases, cases ?? "errors", () => (cases ? caseReport(cases, take) : quiet("bench.not_run")));
}

function findingList(state, ui, findings) {
  const heavy = findings.filter(({ severity }) => severity !== "note").sort((one, other) => heavyLast(other, one));
  const notes = findings.filter(({ severity }) => severity === "note");
  const build = (each) => {
    const place = `${each.file}:${each.line}:${each.column}`;
    const severity = h("b", { class: "severity" }, t(`bench.${each.severity}`));
    return h("li", { class: `finding ${each.severity}` },
      h("p", {}, severity, " ", ticked(each.message), " ", h("code", {}, each.code)),
      each.help ? h("p", { class: "about" }, ticked(each.help)) : null,
      button(place, () => goTo(state, ui, each), { class: "textual", "data-key": `${place} ${each.code}` }));
  };
  const summary = h("summary", {}, t("bench.notes", { count: notes.length }));
  return [
    heavy.length ? listed(heavy, build) : h("p", {}, t("bench.no_findings")),
    notes.length ? h("details", { "data-key": "notes" }, summary, listed(notes, build)) : null,
  ];
}

/** The first of some things, and how many more there are. */
function listed(some, build) {
  const more = some.length > MOST ? h("li", { class: "quiet" }, t("bench.more", { count: some.length - MOST })) : null;
  return h("ul", { class: "plain" }, some.slice(0, MOST).map(build), more);
}

function caseReport({ run, failed, changed }, take) {
  const mismatch = ({ part, expected, actual }) =>
    h("p", { class: "about" }, t("bench.mismatch", { part, expected: plainly(expected), actual: plainly(actual) }));
  const failure = (each) => h("li", {}, caseName(each, take), each.mismatches.map(mismatch));
  const becomes = ({ before, after }) => h("p", { class: "change" }, brief(before), " → ", brief(after));
  const change = (each) => h("li", {}, caseName(each, take), becomes(each));
  const part = (title, all, build) => all.length ? [h("h4", {}, t(title, { count: all.length })), listed(all, build)] : null;
  return [
    h("p", {}, t("bench.cases_run", { run, failed: failed.length, changed: changed.length })),
    part("bench.failed", failed, failure),
    part("bench.changed", changed, change),
  ];
}

const plainly = (value) => (typeof value === "string" ? value : JSON.stringify(value));

/** A case's name; where its request is at hand, a button that puts it into the form. */
function caseName({ case: name, request }, take) {
  if (!request) return h("span", { class: "case-name" }, name);
  return button(name, () => take(request), { class: "textual case-name", "data-key": `case ${name}` });
}

function brief(answer) {
  if (!answer) return t("bench.no_answer");
  return [shortOutcome(answer.outcome), " ", h("span", { class: "ids" }, answer.rules.join(", "))];
}

/** The decision on the current request by the live rules and by the copy, one beside the other. */
function showCompared(ui, live, copy) {
  const rows = [["bench.live", live], ["bench.copy", copy]];
  const rules = (reasons) => links("rule", reasons.map(({ rule }) => rule));
  const told = ({ decision: { outcome, reasons } }) => [shortOutcome(outcome), " ", rules(reasons)];
  const row = ([name, answer]) => [h("dt", {}, t(name)), h("dd", {}, answer ? told(answer) : t("bench.no_answer"))];
  refresh(ui.compared, rows.map(([, answer]) => answer && [answer.decision.outcome, answer.decision.reasons]), () =>
    h("dl", { class: "compared" }, rows.map(row)));
}
