// Values as text: Python's str() and repr(), and json.dumps as Hugging Face's `tojson` calls it.

import { foreignText, MarkedText, ownText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { Callable, Dict, Float, List, Loop, Namespace, typeName, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** Collects a text and whether any of it is the caller's. */
class Writer {
  readonly #meter: Meter;
  #parts: string[] = [];
  #length = 0;
  #foreign = false;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  write(part: string): void {
    this.#meter.step();
    this.#meter.work(part.length);
    this.#length += part.length;
    this.#meter.length(this.#length);
    this.#parts.push(part);
  }

  writeFrom(source: MarkedText, part: string): void {
    this.#foreign ||= source.marks.length > 0;
    this.write(part);
  }

  result(): MarkedText {
    const text = this.#parts.join("");
    return this.#foreign ? foreignText(text) : ownText(text);
  }
}

/** Python's str(): what `{{ value }}` writes. */
export function printValue(value: Value, meter: Meter): MarkedText {
  if (value instanceof MarkedText) return value;
  if (value instanceof Undefined) return ownText("");
  const writer = new Writer(meter);
  writeRepr(value, writer, meter);
  return writer.result();
}

function writeRepr(value: Value, writer: Writer, meter: Meter): void {
  if (value instanceof MarkedText) writer.writeFrom(value, quote(value.value));
  else if (value instanceof List) {
    const [open, close] = value.isTuple ? ["(", value.items.length === 1 ? ",)" : ")"] : ["[", "]"];
    nested({ open, close, between: ", " }, value.items, { writer, meter, one: (item) => writeRepr(item, writer, meter) });
  } else if (value instanceof Dict) {
    const one = ([key, item]: readonly [string, Value]): void => {
      writer.writeFrom(value.key(key), `${quote(key)}: `);
      writeRepr(item, writer, meter);
    };
    nested({ open: "{", close: "}", between: ", " }, value.entries, { writer, meter, one });
  } else writer.write(printScalar(value));
}

interface Brackets {
  readonly open: string;
  readonly close: string;
  readonly between: string;
}

function nested<T>(
  { open, close, between }: Brackets,
  items: Iterable<T>,
  { writer, meter, one }: { writer: Writer; meter: Meter; one: (item: T) => void },
): void {
  meter.within(() => {
    writer.write(open);
    let separator = "";
    for (const item of items) {
      if (separator !== "") writer.write(separator);
      separator = between;
      one(item);
    }
    writer.write(close);
  });
}

function printScalar(value: Value): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return printInteger(value);
  if (value instanceof Float) return printFloat(value.value);
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Namespace) return "<Namespace>";
  if (value instanceof Loop) return "<LoopContext>";
  return value instanceof Callable ? `<function ${value.name}>` : typeName(value);
}

function printInteger(value: number): string {
  return Math.abs(value) < 1e21 ? String(value) : BigInt(value).toString();
}

/** The shortest digits, with Python's rule for exponents: below 1e-4 and from 1e16. */
export function printFloat(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Object.is(value, -0)) return "-0.0";
  const [digits, exponentText] = value.toExponential().split("e");
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  }
  const plain = exponent < 0 ? value.toFixed(Math.max(0, digits.replace(/^-?\d\.?/, "").length - exponent)) : String(value);
  return plain.includes(".") ? plain : `${plain}.0`;
}

const pythonEscapes: ReadonlyMap<string, string> = new Map([
  ["\\", "\\\\"],
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
]);
/** What Python does not print as itself: controls, separators other than the space, unassigned and private characters. */
const unprintable = /[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

function quote(value: string): string {
  const mark = value.includes("'") && !value.includes('"') ? '"' : "'";
  const escaped = value.replaceAll(unprintable, (char) => pythonEscapes.get(char) ?? escapeCharacter(char));
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function escapeCharacter(char: string): string {
  const code = (char.codePointAt(0) ?? 0).toString(16);
  if (code.length <= 2) return `\\x${code.padStart(2, "0")}`;
  return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
}

export interface JsonOptions {
  /** Spaces per level; undefined for one line. */
  readonly indent?: number;
  readonly itemSeparator?: string;
  readonly keySeparator?: string;
  readonly sortKeys?: boolean;
  readonly ensureAscii?: boolean;
}

const maxIndent = 64;

/** @throws {ShaderloomError} TEMPLATE.failed for values that JSON does not have, undefined ones included */
export function toJson(value: Value, options: JsonOptions, meter: Meter): MarkedText {
  const { indent } = options;
  if (indent !== undefined && (indent < 0 || indent > maxIndent)) throw templateError(`an indent of ${indent} is out of range`);
  const writer = new Writer(meter);
  writeJson(value, { options, writer, meter, level: 0 });
  return writer.result();
}

interface JsonContext {
  readonly options: JsonOptions;
  readonly writer: Writer;
  readonly meter: Meter;
  readonly level: number;
}

function writeJson(value: Value, context: JsonContext): void {
  const { options, writer, meter } = context;
  if (value instanceof MarkedText) writer.writeFrom(value, jsonString(value.value, options));
  else if (value === null) writer.write("null");
  else if (typeof value === "boolean" || typeof value === "number") writer.write(String(value));
  else if (value instanceof Float) writer.write(jsonFloat(value.value));
  else if (value instanceof List) {
    const inner = { ...context, level: context.level + 1 };
    nested(jsonBrackets("[]", value.items.length, context), value.items, { writer, meter, one: (item) => writeJson(item, inner) });
  } else if (value instanceof Dict) {
    const inner = { ...context, level: context.level + 1 };
    const entries = [...value.entries];
    if (options.sortKeys) entries.sort(([a], [b]) => (a < b ? -1 : Number(a > b)));
    const one = ([key, item]: readonly [string, Value]): void => {
      writer.writeFrom(value.key(key), jsonString(key, options) + (options.keySeparator ?? ": "));
      writeJson(item, inner);
    };
    nested(jsonBrackets("{}", entries.length, context), entries, { writer, meter, one });
  } else throw templateError(`${typeName(value)} cannot be written as JSON`);
}

function jsonBrackets(pair: string, count: number, { options, level }: JsonContext): Brackets {
  const separator = options.itemSeparator ?? (options.indent === undefined ? ", " : ",");
  if (options.indent === undefined || count === 0) return { open: pair[0], close: pair[1], between: separator };
  const outer = `\n${" ".repeat(options.indent * level)}`;
  const inner = outer + " ".repeat(options.indent);
  return { open: pair[0] + inner, close: outer + pair[1], between: separator + inner };
}

function jsonString(value: string, { ensureAscii }: JsonOptions): string {
  const text = JSON.stringify(value);
  return ensureAscii ? text.replaceAll(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`) : text;
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "Infinity" : "-Infinity";
  return printFloat(value);
}
