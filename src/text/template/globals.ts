// The functions that Hugging Face gives to chat templates: range, namespace, raise_exception, strftime_now, dict.

import { ShaderloomError } from "../../base/errors.ts";
import { bindArguments, required } from "./arguments.ts";
import { ownText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { iterate } from "./methods.ts";
import { printValue } from "./printing.ts";
import { formatTime } from "./strftime.ts";
import { Callable, Dict, integerOf, List, Namespace, textOf } from "./values.ts";
import type { Arguments, Value } from "./values.ts";

/** @param now the time that `strftime_now` tells */
export function createGlobals(meter: Meter, now: Date): Map<string, Value> {
  const globals = new Map<string, Value>([
    ["true", true],
    ["True", true],
    ["false", false],
    ["False", false],
    ["none", null],
    ["None", null],
  ]);
  const define = (name: string, call: (args: Arguments) => Value): void => void globals.set(name, new Callable(name, call));
  define("range", (args) => range(args, meter));
  define("namespace", (args) => new Namespace(new Map(readEntries(args, meter))));
  define("dict", (args) => new Dict(new Map(readEntries(args, meter))));
  define("raise_exception", ({ positional }) => raise(positional.length === 0 ? "" : printValue(positional[0], meter).value));
  define("strftime_now", (args) => {
    const [format] = bindArguments("strftime_now", ["format"], args);
    const { value } = textOf(required("strftime_now", format), "a format");
    meter.work(8 * value.length);
    return ownText(formatTime(now, value));
  });
  return globals;
}

function raise(message: string): never {
  const shown = message.slice(0, 500);
  const sentence = `The chat template refuses this conversation: ${shown}${/[.!?]$/.test(shown) ? "" : "."} Change the messages.`;
  throw new ShaderloomError("TEMPLATE.raised", sentence, { detail: { reason: shown } });
}

/** Charged before it is made: range(10**9) costs nothing but the error. */
function range(args: Arguments, meter: Meter): Value {
  const numbers = bindArguments("range", ["start", "stop", "step"], args).filter((value) => value !== undefined);
  const [first, second, third] = numbers.map((value) => integerOf(value, "a bound of range"));
  if (first === undefined) throw templateError("range needs a bound");
  const [start, stop, step] = second === undefined ? [0, first, 1] : [first, second, third ?? 1];
  if (step === 0) throw templateError("the step of range must not be zero");
  const count = Math.max(0, Math.ceil((stop - start) / step));
  meter.step(count);
  return new List(Array.from({ length: count }, (_, i) => start + i * step));
}

function readEntries({ positional, named }: Arguments, meter: Meter): Array<readonly [string, Value]> {
  const entries: Array<readonly [string, Value]> = [];
  for (const source of positional) {
    if (source instanceof Dict) entries.push(...source.entries);
    else for (const pair of iterate(source, meter)) entries.push(readPair(pair));
  }
  meter.step(entries.length);
  return [...entries, ...named];
}

function readPair(pair: Value): readonly [string, Value] {
  const [key, value] = pair instanceof List ? pair.items : [];
  if (key instanceof MarkedText && value !== undefined) return [key.value, value];
  throw templateError("a dictionary is made of pairs");
}
