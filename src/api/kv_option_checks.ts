// Validates the `kv` option: names, ranges and what cannot go together. A chunk of its own, because few say anything of keys and values.
// What only the model's header tells is checked by the load (engine/kv_options.ts).

import { ShaderloomError } from "../base/errors.ts";
import { isKvNumber, isKvPageType, type KvType, kvTypes } from "../base/kv_types.ts";
import { defaultSink, kvPageSizes, kvPolicies, type KvOptions, leastEvictable } from "../engine/kv_options.ts";
import { checkNumber, type Fields, readFields, requestError } from "./fields.ts";

const names = ["type", "repair", "layout", "pageTokens", "budget", "prefixCache", "evict"];
const mostSinks = 1024;
const mostKept = 1 << 24;

/** What of the other options decides what goes with `kv`. */
interface Others {
  readonly contextLength?: number | undefined;
  readonly activations?: "f32" | "f16" | "int8" | undefined;
}

/** @throws {ShaderloomError} REQUEST.kv */
export function checkKvOptions(value: unknown, others: Others): KvOptions {
  const fields = readFields(value, "kv", names);
  const options: KvOptions = {
    type: choice(fields, "type", kvTypes),
    repair: choice(fields, "repair", ["gear"] as const),
    layout: choice(fields, "layout", ["paged", "contiguous"] as const),
    pageTokens: pageTokensOf(fields.get("pageTokens")),
    budget: whole(fields, "budget", { min: 1, max: Number.MAX_SAFE_INTEGER }),
    prefixCache: flag(fields.get("prefixCache")),
    evict: fields.get("evict") === undefined ? undefined : evictOf(fields.get("evict"), others),
  };
  checkTogether(options, options.type ?? (others.activations === "f16" ? "f16" : "f32"));
  return options;
}

function choice<T extends string>(fields: Fields, name: string, choices: readonly T[], path = "kv."): T | undefined {
  const value = fields.get(name);
  const found = choices.find((one) => one === value);
  if (value === undefined || found !== undefined) return found;
  throw requestError(`${path}${name}`, `one of ${choices.map((one) => JSON.stringify(one)).join(", ")}`, value);
}

function whole(fields: Fields, name: string, { min, max }: { min: number; max: number }, path = "kv."): number | undefined {
  const value = fields.get(name);
  return value === undefined ? undefined : checkNumber(value, `${path}${name}`, { min, max, integer: true });
}

function flag(value: unknown): boolean | undefined {
  if (value === undefined || typeof value === "boolean") return value;
  throw requestError("kv.prefixCache", "true or false", value);
}

function pageTokensOf(value: unknown): number | undefined {
  const found = kvPageSizes.find((one) => one === value);
  if (value === undefined || found !== undefined) return found;
  throw requestError("kv.pageTokens", `one of ${kvPageSizes.join(", ")}`, value);
}

function evictOf(value: unknown, { contextLength = mostKept }: Others): KvOptions["evict"] {
  const path = "kv.evict.";
  const fields = readFields(value, "kv.evict", ["policy", "keep", "sink"]);
  const policy = choice(fields, "policy", kvPolicies, path);
  if (policy === undefined)
    throw requestError(`${path}policy`, `one of ${kvPolicies.map((one) => JSON.stringify(one)).join(", ")}`, policy);
  const sink = whole(fields, "sink", { min: 0, max: mostSinks }, path);
  const least = (sink ?? defaultSink) + leastEvictable;
  if (contextLength < least) {
    throw cannot(
      `kv.evict keeps ${least} tokens at least and the context holds ${contextLength}. Set contextLength to ${least} or more, or leave kv.evict out.`,
      { param: "kv.evict", contextLength, least },
    );
  }
  return { policy, keep: checkNumber(fields.get("keep"), `${path}keep`, { min: least, max: contextLength, integer: true }), sink };
}

/** Fewer tokens would share a scale than make it worth its bits. */
const leastQuantizedTokens = 32;

function checkTogether({ repair, layout, pageTokens, prefixCache, evict }: KvOptions, type: KvType): void {
  if (isKvPageType(type) && pageTokens !== undefined && pageTokens < leastQuantizedTokens) {
    throw cannot(`kv.pageTokens is ${pageTokens}, and pages of "${type}" have 32, 64 or 128 tokens. Set one of these, or leave it out.`, {
      param: "kv.pageTokens",
      type,
    });
  }
  if (repair !== undefined && !isKvPageType(type)) {
    throw cannot(`kv.repair mends what kv.type "q4" and "kivi2" lose, and the type is "${type}". Set one of these, or leave repair out.`, {
      param: "kv.repair",
      type,
    });
  }
  if (evict && !isKvNumber(type)) {
    throw cannot(
      `kv.evict moves single tokens, which "${type}" pages cannot do. Set kv.type to "f16" or "f32", or leave evict out and set a kv.budget.`,
      { param: "kv.evict", type },
    );
  }
  if (layout !== "contiguous") return;
  if (!isKvNumber(type)) {
    throw cannot(
      `kv.layout "contiguous" holds "f32" and "f16" only, and the type is "${type}". Leave layout out, or set kv.type to "f16".`,
      {
        param: "kv.layout",
        type,
      },
    );
  }
  if (prefixCache === true || evict) {
    const what = prefixCache === true ? "kv.prefixCache shares" : "kv.evict moves";
    throw cannot(`${what} pages, and kv.layout "contiguous" has none. Leave layout out, or leave the other out.`, { param: "kv.layout" });
  }
}

function cannot(message: string, detail: Record<string, string | number>): ShaderloomError {
  return new ShaderloomError("REQUEST.kv", message, { detail });
}
