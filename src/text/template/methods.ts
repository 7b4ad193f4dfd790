// Methods and subscripts of values: the part of Python's str, dict and list that chat templates call. Names are looked up in
// Maps, so `constructor`, `__proto__` and `__class__` are as undefined as any other unknown name. Nothing mutates.

import { bindArguments, given, required } from "./arguments.ts";
import { ownText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { valuesEqual } from "./operators.ts";
import { printValue } from "./printing.ts";
import { isCased } from "./tests.ts";
import * as text from "./text_operations.ts";
import { Callable, Dict, integerOf, List, Loop, Namespace, numberOf, orUndefined, textOf, typeName, Undefined } from "./values.ts";
import type { Arguments, Value } from "./values.ts";

type TextMethod = (self: MarkedText, args: Arguments, meter: Meter) => Value;

const casing =
  (change: (value: string) => string): TextMethod =>
  (self, _, meter) =>
    text.rewrite(self, meter, change);

const stripping =
  (sides: "left" | "right" | "both"): TextMethod =>
  (self, args, meter) => {
    const [chars] = bindArguments("strip", ["chars"], args);
    const wanted = given(chars);
    return text.strip(self, sides, { chars: wanted === undefined ? undefined : textOf(wanted, "what to strip").value, meter });
  };

const affix =
  (test: (value: string, part: string) => boolean): TextMethod =>
  (self, args, meter) => {
    const [part] = bindArguments("startswith", ["prefix"], args);
    const parts = part instanceof List ? part.items : [required("startswith", part)];
    return parts.some((item) => {
      const { value } = textOf(item, "a prefix or suffix");
      meter.work(value.length);
      return test(self.value, value);
    });
  };

const splitting =
  (cut: typeof text.split): TextMethod =>
  (self, args, meter) => {
    const [separator, limit] = bindArguments("split", ["sep", "maxsplit"], args);
    const by = given(separator);
    const parts = cut(self, {
      separator: by === undefined ? undefined : textOf(by, "a separator").value,
      limit: limit === undefined ? -1 : integerOf(limit, "maxsplit"),
      meter,
    });
    return new List(parts);
  };

const searching =
  (search: (value: string, part: string) => number, missing: "minus one" | "error"): TextMethod =>
  (self, args, meter) => {
    const [part] = bindArguments("find", ["sub"], args);
    meter.work(self.value.length);
    const at = search(self.value, textOf(required("find", part), "what to find").value);
    if (at < 0 && missing === "error") throw templateError("the text to find is not there");
    return at < 0 ? -1 : text.characterCount(ownText(self.value.slice(0, at)), meter);
  };

const every =
  (pattern: RegExp): TextMethod =>
  (self, _, meter) => {
    meter.work(self.value.length);
    return pattern.test(self.value);
  };

const cased =
  (change: (value: string) => string): TextMethod =>
  (self, _, meter) => {
    meter.work(2 * self.value.length);
    return isCased(self.value, change(self.value));
  };

const upper = (value: string): string => value.toUpperCase();
const lower = (value: string): string => value.toLowerCase();

const textMethods: ReadonlyMap<string, TextMethod> = new Map<string, TextMethod>([
  ["upper", casing(upper)],
  ["lower", casing(lower)],
  ["casefold", casing(lower)],
  ["title", (self, _, meter) => titled(self, meter)],
  ["capitalize", casing(text.capitalize)],
  ["strip", stripping("both")],
  ["lstrip", stripping("left")],
  ["rstrip", stripping("right")],
  ["startswith", affix((value, part) => value.startsWith(part))],
  ["endswith", affix((value, part) => value.endsWith(part))],
  ["split", splitting(text.split)],
  ["rsplit", splitting(text.splitFromRight)],
  ["splitlines", (self, _, meter) => new List(text.splitLines(self, meter))],
  ["find", searching((value, part) => value.indexOf(part), "minus one")],
  ["rfind", searching((value, part) => value.lastIndexOf(part), "minus one")],
  ["index", searching((value, part) => value.indexOf(part), "error")],
  ["isdigit", every(/^\p{Nd}+$/u)],
  ["isnumeric", every(/^\p{N}+$/u)],
  ["isalpha", every(/^\p{L}+$/u)],
  ["isalnum", every(/^[\p{L}\p{N}]+$/u)],
  ["isspace", every(/^\s+$/)],
  ["isupper", cased(upper)],
  ["islower", cased(lower)],
  ["replace", replaceMethod],
  ["join", (self, args, meter) => text.joinWith(joinables(required("join", args.positional[0])), self, meter)],
  ["count", countMethod],
  ["removeprefix", (self, args, meter) => removeAffix(self, args, { meter, atStart: true })],
  ["removesuffix", (self, args, meter) => removeAffix(self, args, { meter, atStart: false })],
]);

function titled(self: MarkedText, meter: Meter): MarkedText {
  meter.work(16 * self.value.length);
  return text.rewrite(self, meter, text.titleCase);
}

function replaceMethod(self: MarkedText, args: Arguments, meter: Meter): Value {
  const [old, by, limit] = bindArguments("replace", ["old", "new", "count"], args);
  return text.replace(self, {
    old: textOf(required("replace", old), "what to replace").value,
    by: textOf(required("replace", by), "a replacement"),
    limit: given(limit) === undefined ? -1 : integerOf(required("replace", limit), "count"),
    meter,
  });
}

function joinables(value: Value): MarkedText[] {
  if (!(value instanceof List)) throw templateError(`${typeName(value)} cannot be joined`);
  return value.items.map((item) => textOf(item, "an item to join"));
}

function countMethod(self: MarkedText, args: Arguments, meter: Meter): Value {
  const [part] = bindArguments("count", ["sub"], args);
  const { value } = textOf(required("count", part), "what to count");
  return text.split(self, { separator: value, limit: -1, meter }).length - 1;
}

function removeAffix(self: MarkedText, args: Arguments, { meter, atStart }: { meter: Meter; atStart: boolean }): Value {
  const { value } = textOf(required("removeprefix", args.positional[0]), "a prefix or suffix");
  const has = value !== "" && (atStart ? self.value.startsWith(value) : self.value.endsWith(value));
  if (!has) return self;
  const bounds = atStart
    ? { start: text.characterCount(ownText(value), meter), stop: undefined }
    : { start: 0, stop: -text.characterCount(ownText(value), meter) };
  return text.sliceCharacters(self, { ...bounds, step: 1 }, meter);
}

function dictMethod(self: Dict, name: string): Callable | undefined {
  switch (name) {
    case "get":
      return new Callable(name, (args) => {
        const [key, fallback] = bindArguments(name, ["key", "default"], args);
        const found = key instanceof MarkedText ? self.entries.get(key.value) : undefined;
        return found === undefined ? (fallback ?? null) : found;
      });
    case "items":
      return new Callable(name, () => dictItems(self));
    case "keys":
      return new Callable(name, () => new List([...self.entries.keys()].map((key) => self.key(key))));
    case "values":
      return new Callable(name, () => new List([...self.entries.values()]));
    case "copy":
      return new Callable(name, () => self);
    default:
      return undefined;
  }
}

/** The pairs of a dictionary as tuples. */
export function dictItems(self: Dict): List {
  return new List([...self.entries].map(([key, value]) => new List([self.key(key), value], true)));
}

function listMethod(self: List, name: string, meter: Meter): Callable | undefined {
  if (name === "copy") return new Callable(name, () => self);
  if (name !== "index" && name !== "count") return undefined;
  return new Callable(name, (args) => {
    const wanted = required(name, args.positional[0]);
    if (name === "count") return self.items.filter((item) => valuesEqual(item, wanted, meter)).length;
    const at = self.items.findIndex((item) => valuesEqual(item, wanted, meter));
    if (at < 0) throw templateError("the item to find is not there");
    return at;
  });
}

function loopAttribute(loop: Loop, name: string, meter: Meter): Value | undefined {
  const { index0, items, depth } = loop;
  switch (name) {
    case "index":
      return index0 + 1;
    case "index0":
      return index0;
    case "revindex":
      return items.length - index0;
    case "revindex0":
      return items.length - index0 - 1;
    case "first":
      return index0 === 0;
    case "last":
      return index0 === items.length - 1;
    case "length":
      return items.length;
    case "depth":
      return depth;
    case "depth0":
      return depth - 1;
    case "previtem":
      return items[index0 - 1];
    case "nextitem":
      return items[index0 + 1];
    case "cycle":
      return new Callable(name, ({ positional }) => orUndefined(positional[index0 % positional.length], name));
    case "changed":
      return new Callable(name, ({ positional }) => changed(loop, positional, meter));
    default:
      return undefined;
  }
}

function changed(loop: Loop, values: readonly Value[], meter: Meter): boolean {
  const before = loop.changedBy;
  loop.changedBy = values;
  return before === undefined || !valuesEqual(new List(before), new List(values), meter);
}

function methodOf(value: Value, name: string, meter: Meter): Value | undefined {
  if (value instanceof MarkedText) {
    const method = textMethods.get(name);
    return method && new Callable(name, (args) => method(value, args, meter));
  }
  if (value instanceof Dict) return dictMethod(value, name);
  return value instanceof List ? listMethod(value, name, meter) : undefined;
}

/** `value.name`: a method first, then an entry. */
export function getAttribute(value: Value, name: string, meter: Meter): Value {
  if (value instanceof Undefined) throw templateError(`'${value.name}' is undefined, so it has no '${name.slice(0, 40)}'`);
  if (value instanceof Loop) return orUndefined(loopAttribute(value, name, meter), name);
  if (value instanceof Namespace) return orUndefined(value.entries.get(name), name);
  const method = methodOf(value, name, meter);
  if (method !== undefined) return method;
  return orUndefined(value instanceof Dict ? value.entries.get(name) : undefined, name);
}

/** `value[key]`: an entry first, then a method. */
export function getItem(value: Value, key: Value, meter: Meter): Value {
  if (value instanceof Undefined) throw templateError(`'${value.name}' is undefined, so it has no items`);
  if (key instanceof MarkedText) {
    const entry = value instanceof Dict ? value.entries.get(key.value) : undefined;
    return entry === undefined ? getAttribute(value, key.value, meter) : entry;
  }
  const index = numberOf(key);
  if (index === undefined || !Number.isInteger(index)) return new Undefined(printValue(key, meter).value.slice(0, 40));
  if (value instanceof MarkedText) return text.characterAt(value, index, meter) ?? new Undefined(String(index));
  return orUndefined(value instanceof List ? value.items.at(index) : undefined, String(index));
}

/** `value[start:stop:step]` */
export function getSlice(value: Value, bounds: text.SliceBounds, meter: Meter): Value {
  if (value instanceof MarkedText) return text.sliceCharacters(value, bounds, meter);
  if (!(value instanceof List)) throw templateError(`${typeName(value)} cannot be sliced`);
  const { first, count } = text.sliceIndices(value.items.length, bounds);
  meter.step(count);
  return new List(
    Array.from({ length: count }, (_, i) => value.items[first + i * bounds.step]),
    value.isTuple,
  );
}

/** What a `for` or a list filter goes over. */
export function iterate(value: Value, meter: Meter): readonly Value[] {
  if (value instanceof List) return value.items;
  if (value instanceof Undefined) return [];
  if (value instanceof MarkedText) return text.characters(value, meter);
  if (value instanceof Dict) {
    meter.step(value.entries.size);
    return [...value.entries.keys()].map((key) => value.key(key));
  }
  throw templateError(`${typeName(value)} cannot be gone through`);
}
