/** The form: fields that appear as they matter, updated in place, so that focus and typed text survive. */
import { button, byId, data, h, sayDay, t } from "./bench-dom.js";
import { control, kindOf, nothing } from "./bench-controls.js";
import { get } from "./bench-request.js";

export const DAY = "context.date";
const TYPED = new Set(["number", "money", "date", "list", "search", "raw"]);
const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
const hasFocus = (element) => element.contains(document.activeElement);
const items = new Map();
let tell = () => {};

/** `change(path, value, event)` hears of every change that the asker makes. */
export function listen(change) {
  tell = change;
}

/** Show the fields for a request; after a whole new request (`fresh`) in the server's order and with its values. */
export function showFields(fields, request, fresh) {
  const wanted = fields.some(({ path }) => path === DAY) ? fields : [...fields, dayField()];
  for (const field of wanted) {
    if (!items.has(field.path)) items.set(field.path, makeItem(field));
    update(items.get(field.path), field, get(request, field.path), fresh);
  }
  const paths = new Set(wanted.map(({ path }) => path));
  for (const [path, { element }] of items) if (!paths.has(path) && (fresh || !hasFocus(element))) drop(path);
  for (const field of wanted) place(field, items.get(field.path).element, fresh);
  const count = byId("further-fields").childElementCount;
  byId("further").hidden = !count;
  byId("further-count").textContent = count;
}

/** Bring a fact's field into view and give it the focus; false if the form has no such field. */
export function focusField(path) {
  const item = items.get(path);
  if (!item) return false;
  item.element.closest("details")?.setAttribute("open", "");
  item.control.target.focus();
  return true;
}

/** The label of a fact, and of a value of it, as the form shows them. */
export const labelOf = (path) => items.get(path)?.field.label ?? path;
export function sayValue(path, value) {
  if (typeof value === "boolean") return t(value ? "yes" : "no");
  const named = items.get(path)?.field.values?.find((each) => each.value === value);
  return named?.label ?? (typeof value === "string" ? value : JSON.stringify(value));
}

function drop(path) {
  items.get(path).element.remove();
  items.delete(path);
}

function dayField() {
  return { path: DAY, label: t("bench.day"), description: "", type: "date", values: null, state: "asked", problem: null };
}

/**
 * Put a field where it belongs. What is in the form stays where it is while one works on it: new fields come last,
 * and only one that no longer matters and holds nothing goes back to the further ones.
 */
function place(field, element, fresh) {
  const [main, further] = [byId("fields"), byId("further-fields")];
  if (field.path === DAY) {
    if (!element.isConnected) byId("day").append(element);
    return;
  }
  const stays = !fresh && field.state === "given" && element.parentElement === further;
  const home = stays || field.state === "further" ? further : main;
  if (element.parentElement === home && !fresh) return;
  if (element.isConnected && hasFocus(element)) return;
  const next = home === further && !fresh ? [...home.children].find((each) => each.dataset.path > field.path) : null;
  home.insertBefore(element, next ?? null);
}

let count = 0;

function makeItem(field) {
  const id = `field-${(count += 1)}`;
  const parts = {
    label: h("label", { id: `${id}-label` }),
    mark: h("span", { class: "mark needed", hidden: true }, t("bench.needed")),
    clear: button("×", () => clear(item), { class: "clear" }),
    about: h("span", { id: `${id}-about` }),
    hint: h("p", { class: "hint", id: `${id}-hint` }),
    slot: h("div", { class: "slot" }),
  };
  const { label, mark, about, hint, slot } = parts;
  const path = h("code", { class: "path" }, field.path);
  const head = h("div", { class: "head" }, label, mark, parts.clear);
  const said = h("p", { class: "about" }, about, " ", path);
  const element = h("div", { class: "field", "data-path": field.path }, head, said, slot, hint);
  const item = { ...parts, id, element, field, control: null };
  slot.addEventListener("input", (event) => changed(item, event));
  return item;
}

function changed(item, event) {
  item.clear.hidden = item.control.read() === undefined;
  tell(item.field.path, item.control.read(), event);
}

function clear(item) {
  item.control.write(undefined);
  item.control.target.focus();
  changed(item, new Event("input"));
}

function update(item, field, value, fresh) {
  const kind = kindOf(field, value);
  const choices = JSON.stringify([field.values, field.default, field.optional]);
  const current = item.control?.kind === kind && item.choices === choices;
  if (!current && !(item.control && !fresh && hasFocus(item.element))) rebuild(item, field, kind, choices);
  if ((fresh || !hasFocus(item.slot)) && !same(item.control.read(), value)) item.control.write(value);
  item.field = field;
  item.element.dataset.state = field.state;
  item.label.textContent = field.label;
  item.clear.setAttribute("aria-label", t("bench.clear", { fact: field.label }));
  item.clear.hidden = value === undefined;
  item.about.textContent = field.description;
  item.mark.hidden = field.state !== "missing";
  item.hint.textContent = field.problem ? `${field.label}: ${field.problem}` : hint(field, value);
  item.hint.classList.toggle("problem", Boolean(field.problem));
  name(item, Boolean(field.problem));
}

function rebuild(item, field, kind, choices) {
  const made = control(kind, field, item.id);
  Object.assign(item, { control: made, choices });
  item.slot.replaceChildren(made.element);
  item.hint.classList.toggle("kept", TYPED.has(kind));
  made.write(undefined);
}

/** Names, descriptions and problems for those who hear the page. */
function name(item, wrong) {
  const { control: { element, inputs }, id } = item;
  const grouped = element.hasAttribute("role");
  if (grouped) element.setAttribute("aria-labelledby", `${id}-label`);
  item.label.htmlFor = grouped ? "" : id;
  for (const each of grouped ? [element] : inputs) each.setAttribute("aria-describedby", `${id}-about ${id}-hint`);
  for (const each of element.role === "radiogroup" ? [element] : inputs) {
    each.setAttribute("aria-invalid", wrong);
    if (wrong) each.setAttribute("aria-errormessage", `${id}-hint`);
    else each.removeAttribute("aria-errormessage");
  }
}

/** How the language of the page writes what was typed, so that nobody mistakes a point for a comma. */
function hint(field, value) {
  if (value === undefined && field.type === "date") return nothing(field);
  if (value === undefined) return field.minimum ? t("bench.minimum", { minimum: field.minimum }) : "";
  try {
    if (field.type === "date") return sayDay(value, "full");
    if (field.type !== "money" || !value.currency) return "";
    const style = { style: "currency", currency: value.currency, maximumFractionDigits: 4 };
    return new Intl.NumberFormat(data.language, style).format(value.amount);
  } catch {
    return ""; // the server says what is wrong with it
  }
}
