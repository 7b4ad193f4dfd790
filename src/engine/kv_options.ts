// What a caller may say of keys and values, and what follows for the cache of a model. Plain data and arithmetic, because options are
// checked before any of the runtime is loaded.

import { ShaderloomError } from "../base/errors.ts";
import { kvPageTokens, type KvType as CacheType } from "../base/kv_types.ts";

/** What keys and values can be stored as. */
export type KvType = CacheType;

/** How tokens are dropped once `keep` of them are held. */
export interface KvEvictOptions {
  /**
   * `window`: the first `sink` tokens and the most recent ones. `snapkv`: after a prompt, for each head those that its last tokens attended to
   * most. `keyformer`: for each head those that gathered the most attention so far. What was dropped is forgotten.
   */
  readonly policy: KvPolicy;
  /** Most tokens held, from `sink` + 64 to the context length. */
  readonly keep: number;
  /** Tokens of the beginning that always stay, 0 to 1024 (default 4). */
  readonly sink?: number | undefined;
}

/** How tokens are chosen that are dropped. */
export type KvPolicy = "window" | "snapkv" | "keyformer";

/** How keys and values are kept. */
export interface KvOptions {
  /**
   * What numbers are stored as. Default: `f16` with activations `f16`, else `f32`. `q8_0` and `bfp4` quantize each token as it is stored; `q4` and
   * `kivi2` (2 bits) a page at a time, keys by channel, the page that is being written in half precision.
   */
  readonly type?: KvType | undefined;
  /** Of `q4` and `kivi2`: keeps a matrix of rank 2 of what quantizing a page lost (GEAR, without its single numbers). Off by default. */
  readonly repair?: "gear" | undefined;
  /** `paged` (default), or `contiguous`: one range for each conversation, without shared prefixes, for `f32` and `f16`. */
  readonly layout?: "paged" | "contiguous" | undefined;
  /** Tokens of a page: 8, 16, 32, 64 or 128. Default 64 for `q4` and `kivi2`, else 32. */
  readonly pageTokens?: number | undefined;
  /** Most bytes of keys and values on the GPU, those of kept prefixes included. Default: room for one whole context. */
  readonly budget?: number | undefined;
  /** Whether pages of earlier requests are kept for those that begin alike (default true). */
  readonly prefixCache?: boolean | undefined;
  /** Drops tokens instead of failing with CONTEXT. Off by default: what is dropped, the model no longer knows. */
  readonly evict?: KvEvictOptions | undefined;
}

export const kvPolicies: readonly KvPolicy[] = ["window", "snapkv", "keyformer"];
export const kvPageSizes: readonly number[] = [8, 16, 32, 64, 128];

/** Tokens of the beginning that stay when nobody says: with none of them attention has nowhere to rest (StreamingLLM, arXiv:2309.17453). */
export const defaultSink = 4;
/** Least tokens that a policy has to choose from. */
export const leastEvictable = 64;

/** The options with what follows where nothing was said. */
export interface KvChoice {
  readonly type: KvType;
  readonly pageTokens: number;
  readonly order: "paged" | "contiguous";
  readonly repair: "gear" | undefined;
  readonly prefixCache: boolean;
}

export function chooseKv(options: KvOptions | undefined, activations: "f32" | "f16" | "int8"): KvChoice {
  const type = options?.type ?? (activations === "f16" ? "f16" : "f32");
  const order = options?.layout ?? "paged";
  return {
    type,
    pageTokens: options?.pageTokens ?? kvPageTokens(type),
    order,
    repair: options?.repair,
    prefixCache: options?.prefixCache ?? order === "paged",
  };
}

/** What bounds a conversation: the context, or keys and values that a budget has room for. */
export interface KvBounds {
  readonly type: KvType;
  /** Whether `kv.budget` holds fewer tokens than the context. */
  readonly byBudget: boolean;
}

/** The type to take instead where memory is short: the next smaller one that loses little, which 2 bits are not. */
export function smallerType(type: KvType): KvType | undefined {
  const next: Partial<Record<KvType, KvType>> = { f32: "f16", f16: "q8_0", q8_0: "q4" };
  return next[type];
}

/** The refusal of a conversation that has no room, with what would make some. */
export function contextFull(have: number, max: number, bounds: KvBounds | undefined): ShaderloomError {
  const smaller = bounds && smallerType(bounds.type);
  const what = bounds?.byBudget ? "kv.budget has room for" : "the context holds";
  const more = bounds?.byBudget ? `kv.budget${smaller ? ` or kv.type "${smaller}"` : ""}` : "contextLength";
  return new ShaderloomError(
    "CONTEXT.full",
    `The prompt has ${have} tokens and ${what} ${max}, answer included. Shorten it, start a new chat, or load the model with a larger ${more}, or with kv.evict, which drops tokens instead.`,
    { detail: { have, max } },
  );
}
