/** Each rule's condition as a tree: what holds, what does not, what nobody knows, and the values that make it so. */
import { button, h, icon, link, links, looks, refresh, t } from "./bench-dom.js";

const ORDER = ["deny", "only_by", "defer", "allow", "oblige", "advise", "guide"];
const WORDS = { true: "bench.holds", false: "bench.fails", null: "bench.open" };
const RULE_WORDS = { true: "bench.applies", false: "bench.does_not_apply", null: "bench.may_apply" };

/**
 * A place for the trees, and `show(explained)`, which fills it: rules that apply or may apply first. `edit(place)` is
 * called to open the editor where a rule is written.
 */
export function makeTrees(edit) {
  const near = h("div", { class: "rules" });
  const far = h("div", { class: "rules" });
  const count = h("span", { class: "count" });
  const others = h("details", { class: "others" }, h("summary", {}, t("bench.other_rules"), " ", count), far);
  const blocks = new Map();
  const show = (explained, locale) => {
    for (const place of [near, far]) place.lang = locale;
    const sorted = explained.toSorted((one, other) => rank(one) - rank(other) || (one.rule < other.rule ? -1 : 1));
    const close = sorted.filter(({ applies }) => applies !== false);
    const distant = sorted.filter(({ applies }) => applies === false);
    arrange(near, close, blocks, edit);
    arrange(far, distant, blocks, edit);
    const ids = new Set(explained.map(({ rule }) => rule));
    for (const id of blocks.keys()) if (!ids.has(id)) blocks.delete(id);
    others.hidden = !distant.length;
    count.textContent = distant.length;
  };
  return { element: h("div", { class: "trees" }, near, others), show };
}

const rank = ({ applies, effect }) => (applies === true ? 0 : applies === null ? 10 : 20) + ORDER.indexOf(effect);

/** The blocks of these rules in their order; what has not changed is not touched, and opens where it was. */
function arrange(place, rules, blocks, edit) {
  const wanted = rules.map((each) => {
    if (!blocks.has(each.rule)) blocks.set(each.rule, h("div", { class: "rule-tree" }));
    const block = blocks.get(each.rule);
    refresh(block, each, () => ruleTree(each, edit));
    return block;
  });
  for (const block of [...place.children]) if (!wanted.includes(block)) block.remove();
  wanted.forEach((block, index) => {
    if (place.children[index] !== block) place.insertBefore(block, place.children[index] ?? null);
  });
}

function ruleTree({ rule, effect, applies, cites, condition, place, overridden_by: overriders }, edit) {
  const badge = h("span", { class: `badge ${effect}` }, t(`effect.${effect}`));
  const names = { class: "textual", "aria-label": t("bench.edit_rule_of", { rule }) };
  const sources = cites.length ? [" · ", links("statement", cites)] : null;
  return h("details", { "data-key": rule },
    h("summary", {}, truth(applies, RULE_WORDS), h("span", { class: "id" }, rule), " ", badge),
    h("p", { class: "about" }, link("rule", rule), sources, " · ", button(t("bench.edit_rule"), () => edit(place), names)),
    overriders.length ? h("p", { class: "about" }, t("bench.overridden_by"), " ", links("rule", overriders)) : null,
    h("ul", { class: "steps-tree" }, condition.map((step, index) => node(step, `${rule}/${index}`))));
}

/** One step. What is below a test, how a fact of it comes about, is folded away; parts of a combination are not. */
function node({ says, holds, values, below }, key) {
  const told = Object.entries(values).map(([path, value]) =>
    h("span", { class: "told" }, h("code", {}, path), " = ", h("b", {}, value)));
  const line = [truth(holds, WORDS), h("span", { class: "says" }, says), " ", told];
  if (!below.length) return h("li", {}, h("div", { class: "step" }, line));
  const list = h("ul", {}, below.map((step, index) => node(step, `${key}/${index}`)));
  if (!told.length) return h("li", {}, h("div", { class: "step" }, line), list);
  return h("li", {}, h("details", { "data-key": key }, h("summary", { class: "step" }, line), list));
}

function truth(holds, words) {
  return h("span", { class: `truth ${looks(holds)}` }, icon(looks(holds)), t(words[holds]));
}
