/** What the page is made of. Everything a server sends becomes text or an attribute here, never markup. */

/** Language, languages, actions, examples and words, as the template wrote them into the page. */
export const data = JSON.parse(document.getElementById("bench-data").textContent);

/** A phrase of the page's language with its {placeholders} filled in; the key itself where there is none. */
export function t(key, values = {}) {
  const text = Object.hasOwn(data.words, key) ? data.words[key] : key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (Object.hasOwn(values, name) ? values[name] : whole));
}

/**
 * An element. Functions among the attributes listen to the event of that name, `true` sets an empty attribute,
 * null and false none; children are nodes, text, or lists of these.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return element;
}

/** A button that says something and does it. */
export const button = (says, act, attributes = {}) => h("button", { type: "button", ...attributes, click: act }, says);

/** A radio button or check box with what it stands for beside it. */
export const choice = (input, ...says) => h("label", { class: "choice" }, input, h("span", {}, says));

/** A day `YYYY-MM-DD` as the page's language writes it; raises RangeError if it is none. */
export function sayDay(day, dateStyle) {
  return new Intl.DateTimeFormat(data.language, { dateStyle, timeZone: "UTC" }).format(new Date(`${day}T00:00Z`));
}

/** Text whose words in backticks are code. */
export const ticked = (text) => text.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));

export const byId = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";
const SHAPES = {
  allow: ["M12 1.5a10.5 10.5 0 1 0 0 21a10.5 10.5 0 1 0 0-21z", "M7 12.5l3.5 3.5L17 8.5"],
  deny: ["M7.6 1.5h8.8l6.1 6.1v8.8l-6.1 6.1H7.6l-6.1-6.1V7.6z", "M8 8l8 8M16 8l-8 8"],
  indeterminate: ["M12 .8L23.2 12L12 23.2L.8 12z", "M9.2 9.6a2.8 2.8 0 1 1 4.2 2.5c-1 .6-1.4 1-1.4 2M12 16.8v.2"],
};

/** The shape of an outcome, for the eye only: a disk with a tick, an octagon with a cross, a diamond with a question. */
export function icon(outcome) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon ${outcome}`);
  for (const [index, line] of (SHAPES[outcome] ?? []).entries()) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", line);
    path.setAttribute("class", index ? "sign" : "shape");
    svg.append(path);
  }
  return svg;
}

/** The outcome that looks like a truth: what holds is green, what does not is red, what nobody knows is open. */
export const looks = (holds) => (holds === null ? "indeterminate" : holds ? "allow" : "deny");

/** Where the book tells of a rule, statement or reading; of names that are no address the page has been told. */
function place(kind, name) {
  const told = encodeURIComponent(name);
  return data.links?.[kind]?.[name] ?? (kind === "rule" ? `rules/${told}.html` : `${kind}s.html#${told}`);
}

/** The name as a link into the book. */
export const link = (kind, name) => h("a", { href: place(kind, name), class: `id ${kind}` }, name);

/** Names as links, with spaces between. */
export const links = (kind, names) => names.flatMap((name, index) => [index ? " " : "", link(kind, name)]);

const shown = new WeakMap();

/**
 * Fill a place anew if what it shows (any JSON data) has changed. What was unfolded stays so, and focus that was in
 * there goes to the part with the same key, else to the outcome, but is never lost.
 */
export function refresh(place, says, build) {
  const signature = JSON.stringify(says) ?? "";
  if (shown.get(place) === signature) return;
  shown.set(place, signature);
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const key = active?.closest("[data-key]")?.dataset.key;
  const open = new Map([...place.querySelectorAll("details[data-key]")].map((each) => [each.dataset.key, each.open]));
  place.replaceChildren(...[build()].flat(Infinity).filter(Boolean));
  const parts = [...place.querySelectorAll("[data-key]")];
  for (const part of parts) if (open.has(part.dataset.key)) part.open = open.get(part.dataset.key);
  if (!active) return;
  const again = parts.find((part) => part.dataset.key === key);
  (again?.querySelector("summary") ?? again ?? byId("outcome"))?.focus({ preventScroll: true });
}

/** Calls `act` once nothing has asked for it for so many milliseconds. */
export function later(milliseconds, act) {
  let timer = 0;
  return (...all) => {
    clearTimeout(timer);
    timer = setTimeout(act, milliseconds, ...all);
  };
}
