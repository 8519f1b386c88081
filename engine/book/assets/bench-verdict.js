/** The decision as it would be, part by part; a part that has not changed is not touched. */
import { button, data, h, icon, link, links, refresh, sayDay, t } from "./bench-dom.js";
import { focusField, labelOf, sayValue } from "./bench-fields.js";
import { makeTrees } from "./bench-tree.js";

const PARTS = { missing, invalid, reasons, alternatives, obligations, advice, procedure, assumptions, warnings };
const TITLES = {
  reasons: "bench.reasons", missing: "missing", invalid: "invalid", alternatives: "alternatives", obligations: "to_do",
  advice: "good_to_know", procedure: "how", assumptions: "rests_on", warnings: "warnings",
};

/** Fill the panel: `apply(change)` takes an alternative, `edit(place)` opens the editor. Gives `show` and `fail`. */
export function makeVerdict(panel, apply, edit) {
  const head = h("div", { class: "outcome-box" });
  const parts = new Map(Object.keys(PARTS).map((name) => [name, h("section", { class: `part ${name}`, hidden: true })]));
  const trees = makeTrees(edit);
  const why = h("section", { class: "part why", hidden: true },
    h("h3", {}, t("bench.conditions")), h("p", { class: "about" }, t("bench.conditions_hint")), trees.element);
  panel.append(head, ...parts.values(), why);
  showHead(head, null);
  const show = ({ decision, explained }, locale) => {
    showHead(head, decision);
    for (const [name, place] of parts) showPart(place, name, decision, locale, apply);
    why.hidden = !explained.length;
    trees.show(explained, locale);
  };
  const fail = (detail) => {
    refresh(head, detail, () => [outcomeLine(null, t("bench.no_answer")), h("p", { class: "cause" }, detail)]);
    head.className = "outcome-box";
    for (const place of [...parts.values(), why]) place.hidden = true;
  };
  return { show, fail };
}

/** The word for an outcome, the same everywhere. */
export const outcomeWord = (outcome) => t(`outcome.${outcome}`);

/** The outcome in a few words, with its shape. */
export function shortOutcome(outcome) {
  return h("span", { class: `truth ${outcome}` }, icon(outcome), outcomeWord(outcome));
}

function outcomeLine(outcome, word) {
  return h("h2", { id: "outcome", tabindex: "-1" }, outcome ? icon(outcome) : null, h("span", {}, word));
}

function showHead(place, decision) {
  place.className = `outcome-box ${decision?.outcome ?? ""}`;
  refresh(place, decision && [decision.outcome, decision.cause, routeLine(decision)], () => {
    if (!decision) return [outcomeLine(null, "…"), h("p", { class: "cause" }, t("bench.waiting"))];
    return [
      outcomeLine(decision.outcome, outcomeWord(decision.outcome)),
      h("p", { class: "cause" }, t(decision.cause)),
      h("p", { class: "route" }, routeLine(decision)),
    ];
  });
}

const sayRoute = (value) => (data.route ? sayValue(data.route, value) : value);

function routeLine({ route, answered_for: answered, policy }) {
  const day = t("policy", { name: policy.name, day: policy.as_of ? sayDay(policy.as_of, "long") : t("unknown_day") });
  if (route === null && answered === null) return day;
  const told = answered !== null && answered !== route ? ` (${t("answered_for", { route: sayRoute(answered) })})` : "";
  return `${t("route")}: ${route === null ? t("no_route") : sayRoute(route)}${told} · ${day}`;
}

function showPart(place, name, decision, locale, apply) {
  const said = decision[name] ?? [];
  place.hidden = !said.length;
  // The labels of facts are part of what is shown: another language changes them, though the decision stays the same.
  const labels = said.map((each) => (each.change ? sayChange(each.change) : labelOf(each.fact ?? each)));
  const title = name === "reasons" && decision.outcome === "indeterminate" ? "bench.may_decide" : TITLES[name];
  refresh(place, [said, labels, locale, title], () =>
    said.length ? [h("h3", {}, t(title)), h("div", { lang: locale }, PARTS[name](said, apply))] : []);
}

const cited = (cites) => (cites.length ? [" · ", links("statement", cites)] : null);
const source = ({ rule, cites }) => h("p", { class: "source" }, link("rule", rule), cited(cites));
const list = (items, build, kind = "plain") => h("ul", { class: kind }, items.map((item) => h("li", {}, build(item))));

function reasons(said) {
  return list(said, (reason) => [
    h("p", {}, h("span", { class: `badge ${reason.effect}` }, t(`effect.${reason.effect}`)), " ", reason.text),
    reason.remedy ? h("p", { class: "remedy" }, `${t("remedy")}: ${reason.remedy}`) : null,
    source(reason),
  ]);
}

const goTo = (path) => button(labelOf(path), () => focusField(path), { "data-key": `go ${path}` });
const sayFact = ([path, value]) => `${labelOf(path)}: ${sayValue(path, value)}`;
const sayChange = (change) => Object.entries(change).map(sayFact).join(" · ");

function missing(paths) {
  return list(paths, (path) => goTo(path), "buttons");
}

function invalid(said) {
  return list(said, ({ fact, value, problem }) =>
    [goTo(fact), h("p", { class: "problem" }, h("code", {}, JSON.stringify(value)), " ", problem)]);
}

function alternatives(said, apply) {
  const says = (change) => [icon("allow"), h("span", {}, sayChange(change))];
  return list(said, ({ change }) => button(says(change), () => apply(change), { class: "alternative" }), "buttons");
}

const perhaps = ({ certain }) => (certain ? null : [" ", h("span", { class: "mark" }, t("uncertain"))]);

function obligations(said) {
  return list(said, (duty) => [
    h("p", {}, duty.text, perhaps(duty)),
    h("p", { class: "about" }, [duty.due && t(duty.due), duty.deadline].filter(Boolean).join(" · ")),
    source(duty),
  ]);
}

function advice(said) {
  return list(said, (each) => [h("p", {}, each.text, perhaps(each)), source(each)]);
}

function procedure(said) {
  return said.map((each) => [h("ol", { class: "steps" }, each.steps.map((step) => h("li", {}, step))), source(each)]);
}

function assumptions(said) {
  return list(said, (each) => {
    const [name, what] = each.reading ? [t("reading"), [link("reading", each.reading), " = ", h("b", {}, each.chosen)]]
      : each.value ? [t("value"), h("code", {}, each.value)]
        : [t("default"), [labelOf(each.fact), " = ", h("b", {}, sayValue(each.fact, each.default))]];
    return [name, " ", what, cited(each.cites)];
  });
}

function warnings(said) {
  return list(said, (text) => text);
}
