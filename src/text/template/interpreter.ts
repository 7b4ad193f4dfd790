// Runs a parsed template: walks the tree of @huggingface/jinja's parser with Jinja's own meaning and a meter. The package's
// interpreter is not used: it cannot be bounded (range(10**7) took it 53 s and 1.8 GB), takes undefined and None otherwise
// than Jinja does, and cannot tell the template's text from the user's.

import type { For, Macro, Node, Parameter, Program, SetStatement, CallStatement } from "./ast.ts";
import { Evaluator } from "./expressions.ts";
import type { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { iterate } from "./methods.ts";
import { concatenate } from "./operators.ts";
import { printValue } from "./printing.ts";
import { innerScope } from "./scope.ts";
import type { Scope } from "./scope.ts";
import { Callable, Dict, List, Loop, Namespace, isTruthy, typeName, Undefined } from "./values.ts";
import type { Arguments, Value } from "./values.ts";
import { joinWith } from "./text_operations.ts";
import { ownText } from "./marked_text.ts";

/** What a call of a macro costs beside its body. */
const callSteps = 8;

/** What a statement does to the loop around it. */
type Flow = "break" | "continue" | undefined;

/** What a block has written so far. */
class Output {
  readonly #meter: Meter;
  #parts: MarkedText[] = [];
  #length = 0;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  write(text: MarkedText): void {
    if (text.value === "") return;
    this.#length += text.value.length;
    this.#meter.length(this.#length);
    this.#parts.push(text);
  }

  text(): MarkedText {
    return this.#parts.length === 2 ? concatenate(this.#parts, this.#meter) : joinWith(this.#parts, ownText(""), this.#meter);
  }
}

/**
 * Renders a template.
 *
 * @param variables globals first, then the caller's data
 * @throws {ShaderloomError} TEMPLATE.limit, .raised, .failed
 */
export function renderProgram(program: Program, variables: ReadonlyMap<string, Value>, meter: Meter): MarkedText {
  const runner = new Runner(meter);
  return runner.capture(program.body, { names: new Map(variables), outer: undefined, loopDepth: 0 });
}

class Runner {
  readonly #meter: Meter;
  readonly #evaluator: Evaluator;
  /** Which bodies of macros use the arguments left over; found once, because looking costs as much as the body is long. */
  readonly #leftovers = new Map<readonly Node[], { varargs: boolean; kwargs: boolean }>();

  constructor(meter: Meter) {
    this.#meter = meter;
    this.#evaluator = new Evaluator(meter);
  }

  /** The output of a block, as a text. */
  capture(body: readonly Node[], scope: Scope): MarkedText {
    return this.#meter.within(() => {
      const output = new Output(this.#meter);
      const flow = this.#runBlock(body, scope, output);
      if (flow !== undefined) throw templateError(`a ${flow} stands outside of a loop`);
      return output.text();
    });
  }

  #runBlock(body: readonly Node[], scope: Scope, output: Output): Flow {
    for (const node of body) {
      const flow = this.#run(node, scope, output);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  #run(node: Node, scope: Scope, output: Output): Flow {
    this.#meter.step();
    switch (node.type) {
      case "Comment":
        return undefined;
      case "StringLiteral":
        output.write(ownText(node.value));
        return undefined;
      case "If":
        return this.#runIf(node, scope, output);
      case "For":
        return this.#meter.within(() => this.#runFor(node, scope, output));
      case "Set":
        this.#runSet(node, scope);
        return undefined;
      case "Macro":
        scope.names.set(node.name.value, this.#macro(node, scope));
        return undefined;
      case "CallStatement":
        output.write(printValue(this.#runCall(node, scope), this.#meter));
        return undefined;
      case "FilterStatement": {
        const text = this.capture(node.body, innerScope(scope));
        output.write(printValue(this.#evaluator.applyFilterNode(text, node.filter, scope), this.#meter));
        return undefined;
      }
      case "Break":
        return "break";
      case "Continue":
        return "continue";
      default:
        output.write(printValue(this.#evaluator.evaluate(node, scope), this.#meter));
        return undefined;
    }
  }

  #runIf(node: Extract<Node, { type: "If" }>, scope: Scope, output: Output): Flow {
    // A chain of elif is nested in the tree; going along it needs no depth.
    for (let current = node; ;) {
      if (isTruthy(this.#evaluator.evaluate(current.test, scope))) return this.#runBlock(current.body, scope, output);
      const [next] = current.alternate;
      if (current.alternate.length !== 1 || next.type !== "If") return this.#runBlock(current.alternate, scope, output);
      this.#meter.step();
      current = next;
    }
  }

  #runFor(node: For, scope: Scope, output: Output): Flow {
    const items = this.#loopItems(node, scope);
    const loop = new Loop(items, scope.loopDepth + 1);
    // Jinja runs `else` unless some iteration came to its end, break and continue being none.
    let completed = false;
    for (let i = 0; i < items.length; i++) {
      // An iteration makes a scope, which is most of its cost.
      this.#meter.step(4);
      loop.index0 = i;
      const inner = innerScope(scope, loop.depth);
      inner.names.set("loop", loop);
      assign(node.loopvar, items[i], inner);
      const flow = this.#runBlock(node.body, inner, output);
      if (flow === "break") break;
      completed ||= flow === undefined;
    }
    return completed ? undefined : this.#runBlock(node.defaultBlock, innerScope(scope), output);
  }

  #loopItems(node: For, scope: Scope): readonly Value[] {
    if (node.iterable.type !== "SelectExpression") return iterate(this.#evaluator.evaluate(node.iterable, scope), this.#meter);
    const { lhs, test } = node.iterable;
    return iterate(this.#evaluator.evaluate(lhs, scope), this.#meter).filter((item) => {
      this.#meter.step(4);
      const inner = innerScope(scope);
      assign(node.loopvar, item, inner);
      return isTruthy(this.#evaluator.evaluate(test, inner));
    });
  }

  #runSet(node: SetStatement, scope: Scope): void {
    const value = node.value === null ? this.capture(node.body, innerScope(scope)) : this.#evaluator.evaluate(node.value, scope);
    const { assignee } = node;
    if (assignee.type !== "MemberExpression") {
      assign(assignee, value, scope);
      return;
    }
    const target = this.#evaluator.evaluate(assignee.object, scope);
    if (!(target instanceof Namespace) || assignee.property.type !== "Identifier") {
      throw templateError(`nothing can be set on ${typeName(target)}`);
    }
    target.entries.set(assignee.property.value, value);
  }

  #macro(node: Macro, scope: Scope): Callable {
    const name = node.name.value;
    return new Callable(name, (args) => {
      const inner = innerScope(scope);
      this.#bind({ name, parameters: node.args, body: node.body }, args, inner);
      return this.capture(node.body, inner);
    });
  }

  #runCall(node: CallStatement, scope: Scope): Value {
    const caller = new Callable("caller", (args) => {
      const inner = innerScope(scope);
      this.#bind({ name: "caller", parameters: node.callerArgs ?? [], body: node.body }, args, inner);
      return this.capture(node.body, inner);
    });
    return this.#evaluator.callWith(node.call, scope, new Map([["caller", caller]]));
  }

  /** Parameters by place, then by name, then by default; what is left over goes to `varargs` and `kwargs` where they are used. */
  #bind(target: { name: string; parameters: readonly Parameter[]; body: readonly Node[] }, args: Arguments, scope: Scope): void {
    const { name, parameters, body } = target;
    this.#meter.step(callSteps + parameters.length);
    const uses = this.#leftovers.get(body) ?? { varargs: mentions(body, "varargs"), kwargs: mentions(body, "kwargs") };
    this.#leftovers.set(body, uses);
    const named = new Map(args.named);
    const caller = named.get("caller");
    named.delete("caller");
    scope.names.set("caller", caller ?? new Undefined("caller"));
    const missing: Array<readonly [string, Node]> = [];
    for (const [i, parameter] of parameters.entries()) {
      const key = parameter.type === "Identifier" ? parameter.value : parameter.key.value;
      const value = i < args.positional.length ? args.positional[i] : named.get(key);
      if (value !== undefined) scope.names.set(key, value);
      else if (parameter.type === "Identifier") scope.names.set(key, new Undefined(key));
      else missing.push([key, parameter.value]);
      named.delete(key);
    }
    for (const [key, node] of missing) scope.names.set(key, this.#evaluator.evaluate(node, scope));
    const extra = args.positional.slice(parameters.length);
    if (uses.varargs) scope.names.set("varargs", new List(extra, true));
    else if (extra.length > 0) throw templateError(`the macro ${name} takes ${parameters.length} arguments`);
    if (uses.kwargs) scope.names.set("kwargs", new Dict(named));
    else if (named.size > 0) throw templateError(`the macro ${name} has no argument ${[...named.keys()][0].slice(0, 40)}`);
  }
}

function assign(target: Node, value: Value, scope: Scope): void {
  if (target.type === "Identifier") {
    scope.names.set(target.value, value);
    return;
  }
  if (target.type !== "TupleLiteral") throw templateError("nothing can be set there");
  const items = value instanceof List ? value.items : [];
  if (items.length !== target.value.length) throw templateError(`${typeName(value)} cannot be taken apart into ${target.value.length}`);
  for (const [i, part] of target.value.entries()) assign(part, items[i], scope);
}

/** Whether a name occurs in a part of the tree. */
function mentions(part: unknown, name: string): boolean {
  if (typeof part !== "object" || part === null) return false;
  if ("type" in part && part.type === "Identifier" && "value" in part && part.value === name) return true;
  const parts: Iterable<unknown> = part instanceof Map ? [...part].flat() : Object.values(part);
  for (const inner of parts) if (mentions(inner, name)) return true;
  return false;
}
