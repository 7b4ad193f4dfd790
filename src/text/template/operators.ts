// Operators of the template language with Python's meaning: equality by value, arithmetic that knows int from float, `in`.

import { derivedText, joinTexts } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { printValue } from "./printing.ts";
import { Dict, Float, List, numberOf, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

export function valuesEqual(a: Value, b: Value, meter: Meter): boolean {
  meter.step(2);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined || y !== undefined) return x === y;
  if (a instanceof MarkedText && b instanceof MarkedText) {
    meter.work(Math.min(a.value.length, b.value.length));
    return a.value === b.value;
  }
  if (a instanceof List && b instanceof List) {
    if (a.isTuple !== b.isTuple || a.items.length !== b.items.length) return false;
    return meter.within(() => a.items.every((item, i) => valuesEqual(item, b.items[i], meter)));
  }
  if (a instanceof Dict && b instanceof Dict) return meter.within(() => dictsEqual(a, b, meter));
  if (a instanceof Undefined) return b instanceof Undefined;
  return a === b;
}

function dictsEqual(a: Dict, b: Dict, meter: Meter): boolean {
  if (a.entries.size !== b.entries.size) return false;
  for (const [key, value] of a.entries) {
    const other = b.entries.get(key);
    if (other === undefined || !valuesEqual(value, other, meter)) return false;
  }
  return true;
}

/** @returns below 0, 0 or above 0 */
export function compareValues(a: Value, b: Value, meter: Meter): number {
  meter.step(3);
  const [x, y] = [numberOf(a), numberOf(b)];
  if (x !== undefined && y !== undefined) return x < y ? -1 : Number(x > y);
  if (a instanceof MarkedText && b instanceof MarkedText) {
    meter.work(Math.min(a.value.length, b.value.length));
    return a.value < b.value ? -1 : Number(a.value > b.value);
  }
  if (a instanceof List && b instanceof List && a.isTuple === b.isTuple) {
    return meter.within(() => {
      for (let i = 0; i < Math.min(a.items.length, b.items.length); i++) {
        if (!valuesEqual(a.items[i], b.items[i], meter)) return compareValues(a.items[i], b.items[i], meter);
      }
      return a.items.length - b.items.length;
    });
  }
  throw templateError(`${typeName(a)} and ${typeName(b)} cannot be compared`);
}

/** `needle in container` */
export function containsValue(container: Value, needle: Value, meter: Meter): boolean {
  if (container instanceof MarkedText) {
    if (!(needle instanceof MarkedText)) throw templateError(`${typeName(needle)} cannot be looked for in a text`);
    meter.work(container.value.length);
    return container.value.includes(needle.value);
  }
  if (container instanceof List) return container.items.some((item) => valuesEqual(item, needle, meter));
  if (container instanceof Dict) return needle instanceof MarkedText && container.entries.has(needle.value);
  if (container instanceof Undefined) return false;
  throw templateError(`nothing can be looked for in ${typeName(container)}`);
}

/** All binary operators but `and` and `or`, which the interpreter cuts short. */
export function applyBinary(operator: string, operands: readonly [Value, Value], meter: Meter): Value {
  const [left, right] = operands;
  switch (operator) {
    case "==":
      return valuesEqual(left, right, meter);
    case "!=":
      return !valuesEqual(left, right, meter);
    case "<":
      return compareValues(left, right, meter) < 0;
    case "<=":
      return compareValues(left, right, meter) <= 0;
    case ">":
      return compareValues(left, right, meter) > 0;
    case ">=":
      return compareValues(left, right, meter) >= 0;
    case "in":
      return containsValue(right, left, meter);
    case "not in":
      return !containsValue(right, left, meter);
    case "~":
      return concatenate([printValue(left, meter), printValue(right, meter)], meter);
    default:
      return arithmetic(operator, operands, meter);
  }
}

/** @throws {ShaderloomError} TEMPLATE.limit when the result is too long */
export function concatenate(parts: readonly MarkedText[], meter: Meter): MarkedText {
  let length = 0;
  let marks = 0;
  for (const part of parts) {
    length += part.value.length;
    marks += part.marks.length;
  }
  meter.length(length);
  // Engines join strings without copying, so only the marks cost; what reads the text is charged for it.
  meter.step(1 + (marks >> 3));
  return joinTexts(parts);
}

function arithmetic(operator: string, [left, right]: readonly [Value, Value], meter: Meter): Value {
  const [x, y] = [numberOf(left), numberOf(right)];
  if (x !== undefined && y !== undefined) {
    const isFloat = left instanceof Float || right instanceof Float;
    const result = calculate(operator, x, y);
    if (result !== undefined && !isFloat && !Number.isFinite(result)) throw templateError("a number is too large");
    if (result !== undefined) return isFloat || operator === "/" || (operator === "**" && y < 0) ? new Float(result) : result;
  }
  if (operator === "+" && left instanceof MarkedText && right instanceof MarkedText) return concatenate([left, right], meter);
  if (operator === "+" && left instanceof List && right instanceof List && left.isTuple === right.isTuple) {
    meter.step(left.items.length + right.items.length);
    return new List([...left.items, ...right.items], left.isTuple);
  }
  if (operator === "*" && y !== undefined && isCount(right)) return repeat(left, y, meter);
  if (operator === "*" && x !== undefined && isCount(left)) return repeat(right, x, meter);
  throw templateError(`${typeName(left)} ${operator} ${typeName(right)} is not defined`);
}

function isCount(value: Value): boolean {
  return typeof value === "number" || typeof value === "boolean";
}

function calculate(operator: string, x: number, y: number): number | undefined {
  switch (operator) {
    case "+":
      return x + y;
    case "-":
      return x - y;
    case "*":
      return x * y;
    case "**":
      return x ** y;
    case "/":
    case "//":
    case "%":
      if (y === 0) throw templateError("division by zero");
      return operator === "/" ? x / y : operator === "//" ? Math.floor(x / y) : x - y * Math.floor(x / y);
    default:
      return undefined;
  }
}

function repeat(value: Value, count: number, meter: Meter): Value {
  const times = Math.max(0, count);
  if (value instanceof MarkedText) {
    meter.length(value.value.length * times);
    meter.work(value.value.length * times);
    return derivedText(value.value.repeat(times), [value]);
  }
  if (value instanceof List) {
    meter.step(value.items.length * times);
    return new List(Array.from({ length: times }, () => value.items).flat(), value.isTuple);
  }
  throw templateError(`${typeName(value)} cannot be repeated`);
}
