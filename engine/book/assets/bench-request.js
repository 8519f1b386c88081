/** Requests: the facts in them, JSON text and URL fragments. */
import { t } from "./bench-dom.js";

const LONGEST = 65536;
const DEEPEST = 64;
const BESIDE = { subject: ["type", "id"], action: ["name"], resource: ["type", "id"] };
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** The names that lead to a fact: `subscription.cost` is resource → properties → cost. */
function way(path) {
  const [space, ...rest] = path.split(".");
  const name = rest.join(".");
  if (!name) return [path];
  if (space === "context") return [space, name];
  const section = Object.hasOwn(BESIDE, space) ? space : "resource";
  return BESIDE[section].includes(name) ? [section, name] : [section, "properties", name];
}

/** The raw value of a fact in a request, undefined where it has none. */
export function get(request, path) {
  if (Object.hasOwn(request, path)) return request[path] ?? undefined;
  let found = request;
  for (const name of way(path)) found = isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return found ?? undefined;
}

/** A copy of the request with a fact put in, or taken out where the value is undefined. */
export function put(request, path, value) {
  const copy = structuredClone(request);
  delete copy[path];
  const names = way(path);
  const last = names.pop();
  let at = copy;
  for (const name of names) at = at[name] = isObject(at[name]) ? at[name] : {};
  if (value === undefined) delete at[last];
  else at[last] = value;
  const type = path.split(".")[0];
  if (names[0] === "resource" && value !== undefined && type !== "resource") copy.resource.type ??= type;
  return tidy(copy);
}

/** Without objects that hold nothing. */
function tidy(request) {
  for (const [name, section] of Object.entries(request)) {
    if (!isObject(section)) continue;
    if (isObject(section.properties) && !Object.keys(section.properties).length) delete section.properties;
    if (!Object.keys(section).length) delete request[name];
  }
  return request;
}

const digits = (text) => text.replace(/[-.]/g, "").replace(/^0+/, "").length;

/** The number that a text is, if a JSON number says exactly the same; else the text, for the server to judge. */
export function exact(text) {
  return /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text) && digits(text) <= 15 ? Number(text) : text;
}

/** A request from JSON text; throws an Error. Numbers that would lose digits stay text, so that they are refused. */
export function parse(text) {
  const request = JSON.parse(text, (key, value, context) => {
    if (key === "__proto__") return undefined;
    if (typeof value !== "number" || !context?.source) return value;
    return Number.isFinite(value) && digits(context.source.split(/e/i)[0]) <= 15 ? value : context.source;
  });
  if (!isObject(request)) throw new Error(t("bench.json_object"));
  if (typeof request.action?.name !== "string") throw new Error(t("bench.json_action"));
  if (isDeeper(request, DEEPEST)) throw new Error(t("bench.json_deep"));
  return request;
}

/** Whether there are more than so many levels in the value. */
function isDeeper(value, levels) {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1));
}

/** The request as part of an address: base64url of its JSON. */
export function encode(request) {
  const bytes = new TextEncoder().encode(JSON.stringify(request));
  const binary = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return `#r=${btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")}`;
}

/** The request that a fragment holds, null where it holds none; throws an Error where that is no request. */
export function decode(fragment) {
  if (!fragment.startsWith("#r=")) return null;
  const code = fragment.slice(3);
  if (code.length > LONGEST || !/^[\w-]*$/.test(code)) throw new Error("#r=");
  const binary = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  return parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}
