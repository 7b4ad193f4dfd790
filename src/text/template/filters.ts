// The filters of `|`, by name. https://jinja.palletsprojects.com/en/stable/templates/#builtin-filters

import { bindArguments, given, required } from "./arguments.ts";
import type { Filter, FilterContext } from "./filter.ts";
import { listFilters } from "./list_filters.ts";
import { ownText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { dictItems } from "./methods.ts";
import { printValue, toJson } from "./printing.ts";
import * as text from "./text_operations.ts";
import { Dict, Float, integerOf, isTruthy, List, numberOf, textOf, typeName, Undefined } from "./values.ts";
import type { Arguments, Value } from "./values.ts";

/** Going word by word costs this many times what copying does. */
const wordWork = 16;

const rewriting =
  (change: (value: string) => string): Filter =>
  (value, { meter }) =>
    text.rewrite(printValue(value, meter), meter, change);

const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...listFilters,
  ["safe", (value, { meter }) => printValue(value, meter)],
  ["string", (value, { meter }) => printValue(value, meter)],
  ["upper", rewriting((value) => value.toUpperCase())],
  ["lower", rewriting((value) => value.toLowerCase())],
  ["capitalize", rewriting(text.capitalize)],
  ["title", (value, { meter }) => rewriteWords(printValue(value, meter), meter)],
  ["escape", rewriting(escapeHtml)],
  ["e", rewriting(escapeHtml)],
  ["trim", trim],
  ["replace", replaceFilter],
  ["indent", indent],
  ["tojson", tojson],
  ["default", fallback],
  ["d", fallback],
  ["int", toInteger],
  ["float", toFloat],
  ["abs", absolute],
  ["round", round],
  ["items", items],
  ["attr", (value, { args, apply }) => attributeFilter(value, args, apply)],
  ["wordcount", countWords],
]);

/** @throws {ShaderloomError} TEMPLATE.failed for an unknown filter */
export function applyFilter(name: string, value: Value, context: Omit<FilterContext, "apply">): Value {
  const filter = filters.get(name);
  if (filter === undefined) throw templateError(`the filter '${name.slice(0, 40)}' is unknown`);
  const { meter } = context;
  return filter(value, { ...context, apply: (inner, item, args) => applyFilter(inner, item, { args, meter }) });
}

function countWords(value: Value, { meter }: FilterContext): Value {
  const { value: string } = printValue(value, meter);
  meter.work(wordWork * string.length);
  return (string.match(/[\p{L}\p{N}_]+/gu) ?? []).length;
}

function rewriteWords(value: MarkedText, meter: Meter): MarkedText {
  meter.work(wordWork * value.value.length);
  return text.rewrite(value, meter, titleFilter);
}

/** Words as the filter sees them: after white space, a hyphen or an opening bracket. */
function titleFilter(value: string): string {
  return value
    .split(/([-\s({[<]+)/)
    .map((word) => text.capitalize(word))
    .join("");
}

const htmlEscapes: ReadonlyMap<string, string> = new Map([
  ["&", "&amp;"],
  ["<", "&lt;"],
  [">", "&gt;"],
  ["'", "&#39;"],
  ['"', "&#34;"],
]);

function escapeHtml(value: string): string {
  return value.replaceAll(/[&<>'"]/g, (char) => htmlEscapes.get(char) ?? char);
}

function trim(value: Value, { args, meter }: FilterContext): Value {
  const chars = given(bindArguments("trim", ["chars"], args)[0]);
  return text.strip(printValue(value, meter), "both", {
    chars: chars === undefined ? undefined : textOf(chars, "what to trim").value,
    meter,
  });
}

function replaceFilter(value: Value, { args, meter }: FilterContext): Value {
  const [old, by, count] = bindArguments("replace", ["old", "new", "count"], args);
  return text.replace(printValue(value, meter), {
    old: printValue(required("replace", old), meter).value,
    by: printValue(required("replace", by), meter),
    limit: given(count) === undefined ? -1 : integerOf(required("replace", count), "count"),
    meter,
  });
}

const maxIndentWidth = 1000;

function indent(value: Value, { args, meter }: FilterContext): Value {
  const [width = 4, first = false, blank = false] = bindArguments("indent", ["width", "first", "blank"], args);
  if (typeof width === "number" && (width < 0 || width > maxIndentWidth)) throw templateError(`an indent of ${width} is out of range`);
  const margin = width instanceof MarkedText ? width : ownText(" ".repeat(integerOf(width, "an indent")));
  const lines = text.splitLines(textOf(value, "what to indent"), meter);
  const newline = ownText("\n");
  const indented = lines.flatMap((line, i) => {
    const pad = i === 0 ? isTruthy(first) : isTruthy(blank) || line.value !== "";
    return [...(i === 0 ? [] : [newline]), ...(pad ? [margin] : []), line];
  });
  return text.joinWith(indented, ownText(""), meter);
}

function tojson(value: Value, { args, meter }: FilterContext): Value {
  // The order of Hugging Face's own tojson; in templates they are always given by name.
  const names = ["ensure_ascii", "indent", "separators", "sort_keys"];
  const [ensureAscii, width, separators, sortKeys] = bindArguments("tojson", names, args);
  const pair = given(separators);
  if (pair !== undefined && !(pair instanceof List && pair.items.length === 2)) throw templateError("separators must be two texts");
  const [itemSeparator, keySeparator] = pair === undefined ? [] : pair.items.map((item) => textOf(item, "a separator").value);
  const spaces = given(width);
  const options = {
    indent: spaces === undefined ? undefined : integerOf(spaces, "an indent"),
    itemSeparator,
    keySeparator,
    sortKeys: sortKeys !== undefined && isTruthy(sortKeys),
    ensureAscii: ensureAscii !== undefined && isTruthy(ensureAscii),
  };
  return toJson(value, options, meter);
}

function fallback(value: Value, { args }: FilterContext): Value {
  const [other = ownText(""), whenFalse = false] = bindArguments("default", ["default_value", "boolean"], args);
  return value instanceof Undefined || (isTruthy(whenFalse) && !isTruthy(value)) ? other : value;
}

function toInteger(value: Value, { args, meter }: FilterContext): Value {
  const [other = 0] = bindArguments("int", ["default", "base"], args);
  const number = numberOf(value) ?? parseNumber(value, meter);
  return number === undefined || !Number.isFinite(number) ? other : Math.trunc(number);
}

function toFloat(value: Value, { args, meter }: FilterContext): Value {
  const [other = new Float(0)] = bindArguments("float", ["default"], args);
  const number = numberOf(value) ?? parseNumber(value, meter);
  return number === undefined ? other : new Float(number);
}

function parseNumber(value: Value, meter: Meter): number | undefined {
  if (value instanceof Undefined) throw templateError(`'${value.name.slice(0, 40)}' is undefined, so it is no number`);
  if (!(value instanceof MarkedText)) return undefined;
  meter.work(value.value.length);
  const trimmed = value.value.trim();
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(trimmed) ? Number(trimmed) : undefined;
}

function absolute(value: Value): Value {
  const number = numberOf(value);
  if (number === undefined) throw templateError(`${typeName(value)} has no absolute value`);
  return value instanceof Float ? new Float(Math.abs(number)) : Math.abs(number);
}

function round(value: Value, { args }: FilterContext): Value {
  const [precision = 0, method = ownText("common")] = bindArguments("round", ["precision", "method"], args);
  const number = numberOf(value);
  if (number === undefined) throw templateError(`${typeName(value)} cannot be rounded`);
  const digits = integerOf(precision, "precision");
  const scale = 10 ** digits;
  const { value: name } = textOf(method, "method");
  if (name === "ceil") return new Float(Math.ceil(number * scale) / scale);
  if (name === "floor") return new Float(Math.floor(number * scale) / scale);
  const rounded = roundHalfEven(number * scale) / scale;
  return value instanceof Float ? new Float(rounded) : rounded;
}

function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return Math.abs(value % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function items(value: Value): Value {
  if (value instanceof Undefined) return new List([]);
  if (!(value instanceof Dict)) throw templateError(`${typeName(value)} has no items`);
  return dictItems(value);
}

function attributeFilter(value: Value, args: Arguments, apply: FilterContext["apply"]): Value {
  const mapped = apply("map", new List([value]), { positional: [], named: new Map([["attribute", required("attr", args.positional[0])]]) });
  return mapped instanceof List ? mapped.items[0] : new Undefined("attr");
}
