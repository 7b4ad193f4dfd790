// Reads fields of untrusted records: own properties only, from an allow-list, each once, with type and range.
// Every refusal names the field, the range and what to do. Knows no request in particular.

import { ShaderloomError } from "../base/errors.ts";

/** Own fields of a record by name, read once; a Map has no prototype to reach through. */
export type Fields = ReadonlyMap<string, unknown>;

/** A value for a message: short, and never a way to run its code. */
function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint" || value == null) return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : `a value of type ${typeof value}`;
}

/**
 * The refusal of a request.
 *
 * @param path the field, as `messages[2].content`; its first name is the sub-code
 * @param expected what it must be, completing "must be"
 */
export function requestError(path: string, expected: string, got: unknown): ShaderloomError {
  const code: `REQUEST.${string}` = `REQUEST.${/^[^.[]*/.exec(path)?.[0] ?? path}`;
  const message = `${path} must be ${expected}, got ${show(got)}. Correct the field, or leave it out if it is optional.`;
  return new ShaderloomError(code, message, { detail: { param: path, got: show(got) } });
}

/** Whether a value is a record: an object of no class, of this realm or another. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * The own fields of a record.
 *
 * @param path of the record itself, empty for the request
 * @param allowed the names it may have
 * @throws {ShaderloomError} REQUEST.<name> for anything else, `__proto__` included
 */
export function readFields(value: unknown, path: string, allowed: readonly string[]): Fields {
  if (!isRecord(value)) throw requestError(path === "" ? "request" : path, "an object of fields", value);
  const entries: Array<[string, unknown]> = [];
  for (const key of Reflect.ownKeys(value)) {
    const name = String(key);
    if (typeof key === "symbol" || !allowed.includes(key)) {
      const where = path === "" ? name : `${path}.${name}`;
      throw new ShaderloomError(
        `REQUEST.${path === "" ? name : path.replace(/[.[].*/, "")}`,
        `${where} is not a field that is known here. Leave it out; the fields are ${allowed.join(", ")}.`,
        { detail: { param: where, allowed: [...allowed] } },
      );
    }
    entries.push([key, value[key]]);
  }
  return new Map(entries);
}

/** A range of numbers; both ends belong to it. */
export interface NumberRule {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

function describe(rule: NumberRule): string {
  const kind = rule.integer === true ? "an integer" : "a number";
  return `${kind} from ${rule.min} to ${rule.max}`;
}

/** @throws {ShaderloomError} REQUEST when the value is no number in the range (NaN never is) */
export function checkNumber(value: unknown, path: string, rule: NumberRule): number {
  const fits = typeof value === "number" && value >= rule.min && value <= rule.max;
  if (!fits || (rule.integer === true && !Number.isInteger(value))) throw requestError(path, describe(rule), value);
  // -0 would show up in messages and divisions.
  return value === 0 ? 0 : value;
}

/** The number of a field, or undefined when it is absent or null. */
export function optionalNumber(fields: Fields, name: string, rule: NumberRule): number | undefined {
  const value = fields.get(name);
  return value === undefined || value === null ? undefined : checkNumber(value, name, rule);
}

export function optionalBoolean(fields: Fields, name: string): boolean | undefined {
  const value = fields.get(name);
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw requestError(name, "true or false", value);
  return value;
}

export function checkString(value: unknown, path: string, maxLength: number): string {
  if (typeof value !== "string" || value.length > maxLength) throw requestError(path, `a string of at most ${maxLength} characters`, value);
  return value;
}

/** An array's elements, copied; holes and extra properties do not survive. */
export function checkArray(value: unknown, path: string, maxLength: number): unknown[] {
  if (!Array.isArray(value) || value.length > maxLength) throw requestError(path, `an array of at most ${maxLength} elements`, value);
  return Array.from<unknown>(value);
}

const MAX_JSON_DEPTH = 32;

/**
 * A deep copy of JSON-like data: null, booleans, finite numbers, strings, arrays and records. Copies, so that the caller's
 * later changes, getters and prototypes stay outside.
 *
 * @throws {ShaderloomError} REQUEST for anything else, for `__proto__` keys and deeper than 32 levels
 */
export function copyJson(value: unknown, path: string, depth = 0): unknown {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value)) {
    checkDepth(value, path, depth);
    return Array.from(value, (item: unknown, i) => copyJson(item, `${path}[${i}]`, depth + 1));
  }
  return copyRecord(value, path, depth);
}

/** `copyJson` of a record. */
export function copyRecord(value: unknown, path: string, depth = 0): Record<string, unknown> {
  if (!isRecord(value)) throw requestError(path, "plain data (null, boolean, finite number, string, array or object)", value);
  checkDepth(value, path, depth);
  const copy: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (key === "__proto__") throw requestError(`${path}.__proto__`, "absent", "a field");
    const item = value[key];
    if (item !== undefined) copy[key] = copyJson(item, `${path}.${key}`, depth + 1);
  }
  return copy;
}

function checkDepth(value: unknown, path: string, depth: number): void {
  if (depth >= MAX_JSON_DEPTH) throw requestError(path, `nested at most ${MAX_JSON_DEPTH} levels`, value);
}
