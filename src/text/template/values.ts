// The values of the template language: Python's, as far as chat templates see them. Dictionaries are Maps, so `constructor`
// and `__proto__` are ordinary keys that nobody has.

import { foreignText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { limitError, templateError } from "./meter.ts";

/** A name or key that is not there. It prints as nothing and fails when used. */
export class Undefined {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A number that Python writes with a point; plain numbers are integers. */
export class Float {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

export class List {
  readonly items: readonly Value[];
  readonly isTuple: boolean;

  constructor(items: readonly Value[], isTuple = false) {
    this.items = items;
    this.isTuple = isTuple;
  }
}

export class Dict {
  readonly entries: ReadonlyMap<string, Value>;
  /** Whether the keys are the caller's. */
  readonly foreignKeys: boolean;

  constructor(entries: ReadonlyMap<string, Value>, foreignKeys = false) {
    this.entries = entries;
    this.foreignKeys = foreignKeys;
  }

  key(name: string): MarkedText {
    return this.foreignKeys ? foreignText(name) : new MarkedText(name);
  }
}

/** What `namespace()` gives: the one thing that can be assigned to. */
export class Namespace {
  readonly entries: Map<string, Value>;

  constructor(entries: Map<string, Value>) {
    this.entries = entries;
  }
}

/** `loop` inside of a for. */
export class Loop {
  readonly items: readonly Value[];
  index0 = 0;
  readonly depth: number;
  changedBy: readonly Value[] | undefined;

  constructor(items: readonly Value[], depth: number) {
    this.items = items;
    this.depth = depth;
  }
}

export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

export class Callable {
  readonly name: string;
  readonly call: (args: Arguments) => Value;

  constructor(name: string, call: (args: Arguments) => Value) {
    this.name = name;
    this.call = call;
  }
}

export type Value = Undefined | null | boolean | number | Float | MarkedText | List | Dict | Namespace | Loop | Callable;

const maxDataDepth = 100;

/**
 * The caller's data as a value; fields that are undefined are left out, as if never given.
 *
 * @throws {ShaderloomError} TEMPLATE.limit when it is nested too deep (or in a circle)
 */
export function toValue(data: unknown, depth = 0): Value {
  if (depth > maxDataDepth) throw limitError("levels of nesting in the messages", maxDataDepth);
  switch (typeof data) {
    case "string":
      return foreignText(data);
    case "number":
      return Number.isInteger(data) ? data : new Float(data);
    case "bigint":
      return Number(data);
    case "boolean":
      return data;
    case "object":
      if (data === null) return null;
      if (Array.isArray(data)) return new List(data.map((item) => toValue(item, depth + 1)));
      return new Dict(dataEntries(data, depth), true);
    default:
      throw templateError(`a ${typeof data} cannot be given to a template`);
  }
}

function dataEntries(data: object, depth: number): Map<string, Value> {
  const entries = new Map<string, Value>();
  for (const [key, value] of Object.entries(data)) if (value !== undefined) entries.set(key, toValue(value, depth + 1));
  return entries;
}

/** Characters of all texts in the data. */
export function countCharacters(value: Value): number {
  if (value instanceof MarkedText) return value.value.length;
  const parts: Iterable<Value> = value instanceof List ? value.items : value instanceof Dict ? value.entries.values() : [];
  let sum = 0;
  for (const part of parts) sum += countCharacters(part);
  return sum;
}

export function isTruthy(value: Value): boolean {
  if (value instanceof Undefined || value === null) return false;
  if (value instanceof MarkedText) return value.value !== "";
  if (value instanceof List) return value.items.length > 0;
  if (value instanceof Dict) return value.entries.size > 0;
  if (value instanceof Float) return value.value !== 0;
  return value !== false && value !== 0;
}

/** For what is not there. None is a value, so `??` would not do. */
export function orUndefined(value: Value | undefined, name: string): Value {
  return value === undefined ? new Undefined(name) : value;
}

/** Python's name of the type, for messages. */
export function typeName(value: Value): string {
  if (value === null) return "None";
  if (value instanceof Undefined) return "undefined";
  if (value instanceof MarkedText) return "str";
  if (value instanceof Float) return "float";
  if (value instanceof List) return value.isTuple ? "tuple" : "list";
  if (value instanceof Dict) return "dict";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "int";
  return value instanceof Namespace ? "namespace" : value instanceof Loop ? "loop" : "function";
}

/** The number of an int, float or bool. */
export function numberOf(value: Value): number | undefined {
  if (value instanceof Float) return value.value;
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" ? value : undefined;
}

/** @throws {ShaderloomError} TEMPLATE.failed unless it is an int or bool */
export function integerOf(value: Value, what: string): number {
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "number") return value;
  throw templateError(`${what} must be an integer, not ${typeName(value)}`);
}

/** @throws {ShaderloomError} TEMPLATE.failed unless it is a text */
export function textOf(value: Value, what: string): MarkedText {
  if (value instanceof MarkedText) return value;
  throw templateError(`${what} must be a text, not ${typeName(value)}`);
}
