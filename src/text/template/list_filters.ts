// Filters over lists and dictionaries; filters.ts has the rest.

import { bindArguments, given, required } from "./arguments.ts";
import type { Filter, FilterContext } from "./filter.ts";
import { ownText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { getItem, iterate } from "./methods.ts";
import { applyBinary, compareValues, valuesEqual } from "./operators.ts";
import { printValue } from "./printing.ts";
import { applyTest } from "./tests.ts";
import * as text from "./text_operations.ts";
import { Dict, isTruthy, List, orUndefined, textOf, typeName, Undefined } from "./values.ts";
import type { Arguments, Value } from "./values.ts";

export const listFilters: ReadonlyArray<readonly [string, Filter]> = [
  ["length", length],
  ["count", length],
  ["list", (value, { meter }) => new List(iterate(value, meter))],
  ["first", (value, { meter }) => orUndefined(iterate(value, meter)[0], "first")],
  ["last", (value, { meter }) => orUndefined(iterate(value, meter).at(-1), "last")],
  ["reverse", reverse],
  ["join", join],
  ["sort", sort],
  ["unique", unique],
  ["min", (value, context) => extreme(value, context, -1)],
  ["max", (value, context) => extreme(value, context, 1)],
  ["sum", sum],
  ["map", map],
  ["select", (value, context) => filterItems(value, context, { keep: true, byAttribute: false })],
  ["reject", (value, context) => filterItems(value, context, { keep: false, byAttribute: false })],
  ["selectattr", (value, context) => filterItems(value, context, { keep: true, byAttribute: true })],
  ["rejectattr", (value, context) => filterItems(value, context, { keep: false, byAttribute: true })],
  ["dictsort", dictsort],
  ["batch", batch],
];

function length(value: Value, { meter }: FilterContext): Value {
  if (value instanceof MarkedText) return text.characterCount(value, meter);
  if (value instanceof List) return value.items.length;
  if (value instanceof Dict) return value.entries.size;
  if (value instanceof Undefined) return 0;
  throw templateError(`${typeName(value)} has no length`);
}

function reverse(value: Value, { meter }: FilterContext): Value {
  const items = iterate(value, meter);
  meter.step(items.length);
  const reversed = items.toReversed();
  if (!(value instanceof MarkedText)) return new List(reversed);
  return text.joinWith(
    reversed.map((item) => printValue(item, meter)),
    ownText(""),
    meter,
  );
}

/** The value at a dotted path of an item. */
function attributeGetter(path: Value, meter: Meter): (item: Value) => Value {
  if (typeof path === "number") return (item) => getItem(item, path, meter);
  const keys = textOf(path, "an attribute").value.split(".");
  return (item) => {
    let value = item;
    for (const key of keys) value = getItem(value, /^\d+$/.test(key) ? Number(key) : ownText(key), meter);
    return value;
  };
}

function join(value: Value, { args, meter }: FilterContext): Value {
  const [separator, attribute] = bindArguments("join", ["d", "attribute"], args);
  const path = given(attribute);
  const of = path === undefined ? (item: Value): Value => item : attributeGetter(path, meter);
  const items = iterate(value, meter).map((item) => printValue(of(item), meter));
  return text.joinWith(items, separator === undefined ? ownText("") : printValue(separator, meter), meter);
}

/** Texts compare without case unless told otherwise. */
function sortKey(caseSensitive: boolean): (value: Value) => Value {
  return (value) => (caseSensitive || !(value instanceof MarkedText) ? value : new MarkedText(value.value.toLowerCase()));
}

function sort(value: Value, { args, meter }: FilterContext): Value {
  const [reversed = false, caseSensitive = false, attribute] = bindArguments("sort", ["reverse", "case_sensitive", "attribute"], args);
  return new List(sorted(iterate(value, meter), { reversed, caseSensitive, attribute, meter }));
}

interface SortOptions {
  readonly reversed: Value;
  readonly caseSensitive: Value;
  readonly attribute: Value | undefined;
  readonly meter: Meter;
}

function sorted(items: readonly Value[], { reversed, caseSensitive, attribute, meter }: SortOptions): Value[] {
  const path = given(attribute);
  const key = sortKey(isTruthy(caseSensitive));
  const of = path === undefined ? (item: Value): Value => item : attributeGetter(path, meter);
  const keyed = items.map((item) => ({ item, key: key(of(item)) }));
  const sign = isTruthy(reversed) ? -1 : 1;
  return keyed.toSorted((a, b) => sign * compareKeys(a.key, b.key, meter)).map(({ item }) => item);
}

/** Items that both lack the attribute are equal. */
function compareKeys(a: Value, b: Value, meter: Meter): number {
  return a instanceof Undefined && b instanceof Undefined ? 0 : compareValues(a, b, meter);
}

function dictsort(value: Value, { args, meter }: FilterContext): Value {
  const [caseSensitive = false, by = ownText("key"), reversed = false] = bindArguments(
    "dictsort",
    ["case_sensitive", "by", "reverse"],
    args,
  );
  if (!(value instanceof Dict)) throw templateError(`${typeName(value)} cannot be sorted as a dictionary`);
  const attribute = textOf(by, "by").value === "value" ? 1 : 0;
  const pairs = [...value.entries].map(([key, item]) => new List([value.key(key), item], true));
  return new List(sorted(pairs, { reversed, caseSensitive, attribute, meter }));
}

function unique(value: Value, { args, meter }: FilterContext): Value {
  const [caseSensitive = false, attribute] = bindArguments("unique", ["case_sensitive", "attribute"], args);
  const path = given(attribute);
  const key = sortKey(isTruthy(caseSensitive));
  const of = path === undefined ? (item: Value): Value => item : attributeGetter(path, meter);
  const seen: Value[] = [];
  const kept = iterate(value, meter).filter((item) => {
    const mark = key(of(item));
    if (seen.some((other) => valuesEqual(other, mark, meter))) return false;
    seen.push(mark);
    return true;
  });
  return new List(kept);
}

function extreme(value: Value, { args, meter }: FilterContext, sign: number): Value {
  const [caseSensitive = false, attribute] = bindArguments("min or max", ["case_sensitive", "attribute"], args);
  const path = given(attribute);
  const key = sortKey(isTruthy(caseSensitive));
  const of = path === undefined ? (item: Value): Value => item : attributeGetter(path, meter);
  let best: Value | undefined;
  for (const item of iterate(value, meter)) {
    if (best === undefined || sign * compareValues(key(of(item)), key(of(best)), meter) > 0) best = item;
  }
  return orUndefined(best, "min or max");
}

function sum(value: Value, { args, meter }: FilterContext): Value {
  const [attribute, start = 0] = bindArguments("sum", ["attribute", "start"], args);
  const path = given(attribute);
  const of = path === undefined ? (item: Value): Value => item : attributeGetter(path, meter);
  let total: Value = start;
  for (const item of iterate(value, meter)) total = applyBinary("+", [total, of(item)], meter);
  return total;
}

/** Filters that go on item by item take anything false as empty. */
function lazyItems(value: Value, meter: Meter): readonly Value[] {
  return isTruthy(value) ? iterate(value, meter) : [];
}

function map(value: Value, { args, meter, apply }: FilterContext): Value {
  const items = lazyItems(value, meter);
  meter.step(items.length);
  const attribute = args.named.get("attribute");
  if (attribute !== undefined) {
    const of = attributeGetter(attribute, meter);
    const missing = args.named.get("default");
    return new List(items.map((item) => orDefault(of(item), missing)));
  }
  const { value: name } = textOf(required("map", args.positional[0]), "a filter");
  const inner: Arguments = { positional: args.positional.slice(1), named: args.named };
  return new List(items.map((item) => apply(name, item, inner)));
}

function orDefault(value: Value, missing: Value | undefined): Value {
  return value instanceof Undefined && missing !== undefined ? missing : value;
}

function filterItems(value: Value, { args, meter }: FilterContext, how: { keep: boolean; byAttribute: boolean }): Value {
  const positional = [...args.positional];
  const of = how.byAttribute ? attributeGetter(required("selectattr", positional.shift()), meter) : (item: Value): Value => item;
  const [test, argument] = positional;
  const name = test === undefined ? undefined : textOf(test, "a test").value;
  const items = lazyItems(value, meter);
  meter.step(items.length);
  const passes = (item: Value): boolean => (name === undefined ? isTruthy(of(item)) : applyTest(name, of(item), { argument, meter }));
  return new List(items.filter((item) => passes(item) === how.keep));
}

function batch(value: Value, { args, meter }: FilterContext): Value {
  const [size, fill] = bindArguments("batch", ["linecount", "fill_with"], args);
  const items = iterate(value, meter);
  const count = typeof size === "number" && size > 0 ? size : items.length;
  const rows: Value[] = [];
  for (let i = 0; i < items.length; i += count) {
    const row = items.slice(i, i + count);
    const missing = given(fill) === undefined ? 0 : count - row.length;
    meter.step(1 + missing);
    rows.push(new List([...row, ...Array.from({ length: missing }, () => required("batch", fill))]));
  }
  return new List(rows);
}
