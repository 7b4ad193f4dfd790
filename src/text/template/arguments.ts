// Arguments of filters, methods and functions, by place or by name.

import { templateError } from "./meter.ts";
import { Undefined } from "./values.ts";
import type { Arguments, Value } from "./values.ts";

/**
 * The arguments in the order of their names; those not given are undefined (the JavaScript one).
 *
 * @throws {ShaderloomError} TEMPLATE.failed for too many, unknown or doubled ones
 */
export function bindArguments(what: string, names: readonly string[], args: Arguments): Array<Value | undefined> {
  if (args.positional.length > names.length) throw templateError(`${what} takes at most ${names.length} arguments`);
  const bound: Array<Value | undefined> = names.map((_, i) => args.positional[i]);
  for (const [name, value] of args.named) {
    const place = names.indexOf(name);
    if (place < 0) throw templateError(`${what} has no argument named ${name.slice(0, 40)}`);
    if (place < args.positional.length) throw templateError(`${what} got ${name} twice`);
    bound[place] = value;
  }
  return bound;
}

/** @throws {ShaderloomError} TEMPLATE.failed when the argument is missing */
export function required(what: string, value: Value | undefined): Value {
  if (value === undefined) throw templateError(`${what} needs an argument more`);
  return value;
}

/** Python's None as "not given". */
export function given(value: Value | undefined): Value | undefined {
  return value === null || value instanceof Undefined ? undefined : value;
}
