/**
 * One control for each type of fact. A control is {kind, element, target, inputs, read, write}: `read` gives the raw
 * JSON value, undefined for none; `target` is what a label names and focus goes to.
 */
import { choice, data, h, t } from "./bench-dom.js";
import { exact } from "./bench-request.js";

const FEW = 4;
const BOXES = 24;
const MANY = 250;
// What a browser proposes; any other code can be written.
const CURRENCIES = ["EUR", "USD", "GBP", "JPY", "CNY", "SEK", "PLN", "CHF", "INR"];
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const COMMA = new Intl.NumberFormat(data.language).format(1.5).includes(",");
let group = 0;

/** The kind of control that can show this value of the field; `raw` shows what fits no other. */
export function kindOf(field, value) {
  const kind = natural(field);
  return value === undefined || FITS[kind](value, field) ? kind : "raw";
}

/** The control of that kind for a field; `id` is that of its target. */
export const control = (kind, field, id) => ({ kind, ...MAKERS[kind](field, id) });

function natural({ type, many, values }) {
  if (many) return values && values.length <= BOXES ? "boxes" : "list";
  if (type === "boolean") return "radios";
  if (values) return values.length > MANY ? "search" : type === "enum" && values.length <= FEW ? "radios" : "select";
  return { integer: "number", number: "number", money: "money", date: "date" }[type] ?? "text";
}

const isText = (value) => typeof value === "string";
const among = (value, { values }) => values.some((each) => each.value === value);
const FITS = {
  radios: (value, field) => (field.type === "boolean" ? typeof value === "boolean" : among(value, field)),
  select: among,
  search: isText,
  boxes: (value, field) => Array.isArray(value) && value.every((each) => among(each, field)),
  list: (value) => Array.isArray(value) && value.every((each) => isText(each) || typeof each === "number"),
  number: (value) => typeof value === "number" || isText(value),
  money: (value) => typeof value === "number" || isText(value) || isText(value?.currency),
  date: (value) => isText(value) && DATE.test(value) && !Number.isNaN(Date.parse(value)),
  text: isText,
};

const MAKERS = { radios, select, search, boxes, list, number, money, date, text: typed, raw };

/** What stands for no value: what holds then, as far as that is known. */
export function nothing(field) {
  if (field.default !== null && field.default !== undefined) return t("bench.by_default", { value: field.default });
  return t(field.optional ? "bench.not_asked" : "not_known");
}

const options = (field) => field.values ?? [{ value: true, label: t("yes") }, { value: false, label: t("no") }];

function radios(field, id) {
  const choices = [...options(field), { value: undefined, label: nothing(field) }];
  const name = `radio-${(group += 1)}`;
  const inputs = choices.map((_, index) => h("input", { type: "radio", name, value: index, id: index ? null : id }));
  const labels = choices.map(({ label }, index) => choice(inputs[index], label));
  labels.at(-1).classList.add("nothing");
  return {
    element: h("div", { class: "choices", role: "radiogroup" }, labels),
    get target() { return inputs.find((input) => input.checked) ?? inputs[0]; },
    inputs,
    read: () => choices[inputs.findIndex((input) => input.checked)]?.value,
    write: (value) => { inputs[choices.findIndex((each) => each.value === value)].checked = true; },
  };
}

function select(field, id) {
  const say = ({ value, label }) => (field.type === "enum" || label.includes(value) ? label : `${label} (${value})`);
  // The mark before a value keeps one that is empty apart from none.
  const list = field.values.map((each) => h("option", { value: `=${each.value}` }, say(each)));
  const element = h("select", { id }, h("option", { value: "" }, nothing(field)), list);
  return {
    ...single(element),
    read: () => (element.value ? element.value.slice(1) : undefined),
    write: (value) => { element.value = value === undefined ? "" : `=${value}`; },
  };
}

/** Too many values for a list: text, with the first of those that match suggested. */
function search(field, id) {
  const suggestions = h("datalist", { id: `${id}-list` });
  const suggest = () => {
    const wanted = element.value.toLowerCase();
    const near = field.values.filter(({ value, label }) => `${label}\n${value}`.toLowerCase().includes(wanted));
    suggestions.replaceChildren(...near.slice(0, 50).map(({ value, label }) => h("option", { value }, label)));
  };
  const hints = { list: `${id}-list`, placeholder: nothing(field) };
  const element = h("input", { id, type: "text", ...hints, input: suggest, focus: suggest });
  const value = () => field.values.find(({ label }) => label === element.value.trim())?.value ?? element.value.trim();
  return { ...plain(element), element: h("div", {}, element, suggestions), read: () => value() || undefined };
}

function boxes(field) {
  const choices = [...field.values, { value: null, label: t("bench.none_of_these") }];
  const inputs = choices.map(() => h("input", { type: "checkbox" }));
  const none = inputs.at(-1);
  inputs.forEach((input) => input.addEventListener("input", () => {
    if (input.checked) for (const other of inputs) if ((other === none) !== (input === none)) other.checked = false;
  }));
  const taken = () => field.values.filter((_, index) => inputs[index].checked).map(({ value }) => value);
  const holds = (input, value, list) => (input === none ? list?.length === 0 : Boolean(list?.includes(value)));
  return {
    element: h("div", { class: "choices", role: "group" }, choices.map(({ label }, index) => choice(inputs[index], label))),
    target: inputs[0],
    inputs,
    read: () => (none.checked ? [] : taken().length ? taken() : undefined),
    write: (list) => inputs.forEach((input, index) => { input.checked = holds(input, choices[index].value, list); }),
  };
}

/** Members with commas between; a lone dash is the list that has none. */
function list(field, id) {
  const element = h("input", { id, type: "text", placeholder: t("bench.list_hint") });
  const member = (text) => (field.type === "integer" || field.type === "number" ? exact(text) : text);
  return {
    ...single(element),
    read: () => {
      const members = element.value.split(",").map((each) => each.trim()).filter(Boolean);
      return members.length ? (members.join() === "-" ? [] : members.map(member)) : undefined;
    },
    write: (value) => { element.value = value === undefined ? "" : value.length ? value.join(", ") : "-"; },
  };
}

/** A decimal comma is one only where the page's language writes it, and where no point is there as well. */
const decimal = (text) => exact(COMMA && /^-?\d+,\d+$/.test(text) ? text.replace(",", ".") : text);

function number(field, id) {
  const inputmode = field.type === "integer" && field.minimum !== null && field.minimum >= 0 ? "numeric" : "decimal";
  const element = h("input", { id, type: "text", class: "short", inputmode, placeholder: nothing(field) });
  return { ...plain(element), read: () => (element.value.trim() ? decimal(element.value.trim()) : undefined) };
}

function money(field, id) {
  const amount = h("input", { id, type: "text", class: "short", inputmode: "decimal", placeholder: nothing(field) });
  const known = h("datalist", { id: `${id}-currencies` }, CURRENCIES.map((value) => h("option", { value })));
  const names = { "aria-label": t("bench.currency_of", { fact: field.label }), placeholder: t("bench.currency") };
  const currency = h("input", { type: "text", class: "currency", maxlength: 3, list: known.id, ...names });
  const read = () => {
    const [sum, code] = [String(decimal(amount.value.trim())), currency.value.trim().toUpperCase()];
    if (!sum) return undefined;
    return code || field.currency ? { amount: exact(sum), currency: code } : exact(sum);
  };
  const write = (value) => {
    const written = isText(value) ? /^(\S*) ([A-Z]{3})$/.exec(value) : null;
    amount.value = written?.[1] ?? value?.amount ?? value ?? "";
    currency.value = written?.[2] ?? value?.currency ?? "";
  };
  const element = h("div", { class: "money" }, amount, currency, known);
  return { element, target: amount, inputs: [amount, currency], read, write };
}

function date(_field, id) {
  return plain(h("input", { id, type: "date", class: "short", min: "0001-01-01", max: "9999-12-31" }));
}

function typed(field, id) {
  return plain(h("input", { id, type: "text", placeholder: nothing(field) }));
}

/** A value that fits no other control, as JSON, to be mended or cleared. */
function raw(_field, id) {
  const element = h("input", { id, type: "text", class: "raw" });
  const read = () => {
    try { return JSON.parse(element.value); } catch { return element.value || undefined; }
  };
  const write = (value) => { element.value = isText(value) ? value : JSON.stringify(value) ?? ""; };
  return { ...single(element), read, write };
}

const single = (element) => ({ element, target: element, inputs: [element] });
const plain = (element) => ({
  ...single(element),
  read: () => element.value.trim() || undefined,
  write: (value) => { element.value = value ?? ""; },
});
