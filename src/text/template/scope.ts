// Names of a template: each block that Jinja scopes (loop, macro, captured block) has its own and sees those around it.

import { Undefined } from "./values.ts";
import type { Value } from "./values.ts";

export interface Scope {
  readonly names: Map<string, Value>;
  readonly outer: Scope | undefined;
  /** Loops around this place, for `loop.depth`. */
  readonly loopDepth: number;
}

export function innerScope(outer: Scope, loopDepth: number = outer.loopDepth): Scope {
  return { names: new Map(), outer, loopDepth };
}

export function lookUp(scope: Scope, name: string): Value {
  for (let current: Scope | undefined = scope; current !== undefined; current = current.outer) {
    const value = current.names.get(name);
    if (value !== undefined) return value;
  }
  return new Undefined(name);
}
