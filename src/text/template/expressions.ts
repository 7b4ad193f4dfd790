// Evaluates the expressions of a template; interpreter.ts runs its statements.

import type { Call, Identifier, Member, Node } from "./ast.ts";
import { applyFilter } from "./filters.ts";
import { ownText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { getAttribute, getItem, getSlice, iterate } from "./methods.ts";
import { applyBinary } from "./operators.ts";
import { lookUp } from "./scope.ts";
import type { Scope } from "./scope.ts";
import { applyTest } from "./tests.ts";
import { Callable, Dict, Float, integerOf, isTruthy, List, numberOf, typeName, Undefined } from "./values.ts";
import type { Arguments, Value } from "./values.ts";

const noArguments: Arguments = { positional: [], named: new Map() };

export class Evaluator {
  readonly #meter: Meter;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  evaluate(node: Node, scope: Scope): Value {
    this.#meter.step();
    this.#meter.enter();
    try {
      return this.#evaluate(node, scope);
    } finally {
      this.#meter.leave();
    }
  }

  #evaluate(node: Node, scope: Scope): Value {
    switch (node.type) {
      case "Identifier":
        return lookUp(scope, node.value);
      case "StringLiteral":
        return ownText(node.value);
      case "IntegerLiteral":
        return node.value;
      case "FloatLiteral":
        return new Float(node.value);
      case "ArrayLiteral":
      case "TupleLiteral":
        return new List(
          node.value.map((item) => this.evaluate(item, scope)),
          node.type === "TupleLiteral",
        );
      case "ObjectLiteral":
        return this.#dict(node.value, scope);
      case "MemberExpression":
        return this.#member(node, scope);
      case "CallExpression":
        return this.callWith(node, scope, new Map());
      case "FilterExpression":
        return this.applyFilterNode(this.evaluate(node.operand, scope), node.filter, scope);
      case "TestExpression":
        return applyTest(node.test.value, this.evaluate(node.operand, scope), { meter: this.#meter }) !== node.negate;
      default:
        return this.#operation(node, scope);
    }
  }

  #operation(node: Node, scope: Scope): Value {
    switch (node.type) {
      case "BinaryExpression": {
        const left = this.evaluate(node.left, scope);
        const operator = node.operator.value;
        if (operator === "and") return isTruthy(left) ? this.evaluate(node.right, scope) : left;
        if (operator === "or") return isTruthy(left) ? left : this.evaluate(node.right, scope);
        return applyBinary(operator, [left, this.evaluate(node.right, scope)], this.#meter);
      }
      case "UnaryExpression":
        return this.#unary(node.operator.value, this.evaluate(node.argument, scope));
      case "Ternary":
        return this.evaluate(isTruthy(this.evaluate(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
      case "SelectExpression":
        return isTruthy(this.evaluate(node.test, scope)) ? this.evaluate(node.lhs, scope) : new Undefined("else");
      default:
        throw templateError(`a ${node.type} cannot stand here`);
    }
  }

  #unary(operator: string, value: Value): Value {
    if (operator === "not") return !isTruthy(value);
    const number = numberOf(value);
    if (number === undefined) throw templateError(`${typeName(value)} has no sign`);
    const signed = operator === "-" ? 0 - number : number;
    return value instanceof Float ? new Float(signed) : signed;
  }

  #dict(pairs: ReadonlyMap<Node, Node>, scope: Scope): Dict {
    const entries = new Map<string, Value>();
    let foreign = false;
    for (const [keyNode, valueNode] of pairs) {
      const key = this.evaluate(keyNode, scope);
      if (!(key instanceof MarkedText)) throw templateError(`${typeName(key)} cannot be a key`);
      foreign ||= key.marks.length > 0;
      entries.set(key.value, this.evaluate(valueNode, scope));
    }
    return new Dict(entries, foreign);
  }

  #member(node: Member, scope: Scope): Value {
    const object = this.evaluate(node.object, scope);
    const { property } = node;
    if (property.type === "SliceExpression") {
      const bound = (part: Node | undefined): number | undefined => {
        const value = part === undefined ? null : this.evaluate(part, scope);
        return value === null ? undefined : integerOf(value, "a bound of a slice");
      };
      return getSlice(object, { start: bound(property.start), stop: bound(property.stop), step: bound(property.step) ?? 1 }, this.#meter);
    }
    if (!node.computed && property.type === "Identifier") return getAttribute(object, property.value, this.#meter);
    return getItem(object, this.evaluate(property, scope), this.#meter);
  }

  /** A call, with arguments beside those that the template writes. */
  callWith(node: Call, scope: Scope, extra: ReadonlyMap<string, Value>): Value {
    const callee = this.evaluate(node.callee, scope);
    const { positional, named } = this.#arguments(node.args, scope);
    if (!(callee instanceof Callable)) {
      const name = callee instanceof Undefined ? `'${callee.name.slice(0, 40)}', which is undefined,` : typeName(callee);
      throw templateError(`${name} cannot be called`);
    }
    return callee.call({ positional, named: new Map([...named, ...extra]) });
  }

  #arguments(nodes: readonly Node[], scope: Scope): Arguments {
    const positional: Value[] = [];
    const named = new Map<string, Value>();
    for (const node of nodes) {
      if (node.type === "KeywordArgumentExpression") named.set(node.key.value, this.evaluate(node.value, scope));
      else if (node.type === "SpreadExpression") {
        const items = iterate(this.evaluate(node.argument, scope), this.#meter);
        this.#meter.step(items.length);
        for (const item of items) positional.push(item);
      } else if (node.type === "KeywordSpreadExpression") {
        const entries = this.evaluate(node.argument, scope);
        if (!(entries instanceof Dict)) throw templateError(`${typeName(entries)} cannot be spread into names`);
        for (const [key, value] of entries.entries) named.set(key, value);
      } else positional.push(this.evaluate(node, scope));
    }
    return { positional, named };
  }

  applyFilterNode(value: Value, filter: Identifier | Call, scope: Scope): Value {
    const meter = this.#meter;
    if (filter.type === "Identifier") return applyFilter(filter.value, value, { args: noArguments, meter });
    if (filter.callee.type !== "Identifier") throw templateError("a filter has a name");
    return applyFilter(filter.callee.value, value, { args: this.#arguments(filter.args, scope), meter });
  }
}
