// The tests of `is` and of select and reject, by name. https://jinja.palletsprojects.com/en/stable/templates/#builtin-tests

import { required } from "./arguments.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { compareValues, containsValue, valuesEqual } from "./operators.ts";
import { Callable, Dict, Float, integerOf, List, Loop, numberOf, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

type Test = (value: Value, argument: Value | undefined, meter: Meter) => boolean;

const equal: Test = (value, other, meter) => valuesEqual(value, required("equalto", other), meter);
const notEqual: Test = (value, other, meter) => !valuesEqual(value, required("ne", other), meter);
const less: Test = (value, other, meter) => compareValues(value, required("lt", other), meter) < 0;
const atMost: Test = (value, other, meter) => compareValues(value, required("le", other), meter) <= 0;
const greater: Test = (value, other, meter) => compareValues(value, required("gt", other), meter) > 0;
const atLeast: Test = (value, other, meter) => compareValues(value, required("ge", other), meter) >= 0;
const isNumber: Test = (value) => numberOf(value) !== undefined;

const tests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ["defined", (value) => !(value instanceof Undefined)],
  ["undefined", (value) => value instanceof Undefined],
  ["none", (value) => value === null],
  ["boolean", (value) => typeof value === "boolean"],
  ["true", (value) => value === true],
  ["false", (value) => value === false],
  ["string", (value) => value instanceof MarkedText],
  ["number", isNumber],
  ["integer", (value) => typeof value === "number"],
  ["float", (value) => value instanceof Float],
  ["mapping", (value) => value instanceof Dict],
  ["sequence", (value) => value instanceof List || value instanceof Dict || value instanceof MarkedText],
  ["iterable", (value) => [List, Dict, MarkedText, Undefined, Loop].some((kind) => value instanceof kind)],
  ["callable", (value) => value instanceof Callable],
  ["odd", (value) => Math.abs(remainder(value, 2)) === 1],
  ["even", (value) => remainder(value, 2) === 0],
  ["divisibleby", (value, by) => remainder(value, integerOf(required("divisibleby", by), "a divisor")) === 0],
  ["lower", (value) => value instanceof MarkedText && isCased(value.value, value.value.toLowerCase())],
  ["upper", (value) => value instanceof MarkedText && isCased(value.value, value.value.toUpperCase())],
  ["sameas", (value, other, meter) => valuesEqual(value, required("sameas", other), meter)],
  ["in", (value, container, meter) => containsValue(required("in", container), value, meter)],
  ["eq", equal],
  ["equalto", equal],
  ["==", equal],
  ["ne", notEqual],
  ["!=", notEqual],
  ["lt", less],
  ["lessthan", less],
  ["<", less],
  ["le", atMost],
  ["<=", atMost],
  ["gt", greater],
  ["greaterthan", greater],
  [">", greater],
  ["ge", atLeast],
  [">=", atLeast],
]);

/** Python's islower and isupper: some letter has a case, and all that have one have this. */
export function isCased(value: string, changed: string): boolean {
  return value === changed && value.toLowerCase() !== value.toUpperCase();
}

function remainder(value: Value, divisor: number): number {
  const number = numberOf(value);
  if (number === undefined || divisor === 0) throw templateError(`${typeName(value)} cannot be divided by ${divisor}`);
  return number % divisor;
}

/** @throws {ShaderloomError} TEMPLATE.failed for an unknown test */
export function applyTest(name: string, value: Value, options: { argument?: Value; meter: Meter }): boolean {
  const test = tests.get(name);
  if (test === undefined) throw templateError(`the test '${name.slice(0, 40)}' is unknown`);
  if (value instanceof MarkedText) options.meter.work(value.value.length >> 4);
  return test(value, options.argument, options.meter);
}
