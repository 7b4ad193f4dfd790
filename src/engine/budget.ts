// What fits: checks a model and context against the device's limits before anything is allocated or downloaded.

import { ShaderloomError } from "../base/errors.ts";
import { type KvLayout, kvPageBytes, kvTailBytes } from "../base/layout.ts";
import type { Caps } from "../gpu/caps.ts";
import type { ModelConfig } from "../models/config.ts";
import { type KvChoice, type KvOptions, smallerType } from "./kv_options.ts";

/** Context when the caller names none. */
const defaultContextLength = 4096;

/**
 * Tokens of context to load with: the caller's wish, or min(the model's, 4096).
 * @throws {ShaderloomError} CONTEXT.limit above what the model was trained for, REQUEST.contextLength for no positive integer
 */
export function chooseContextLength(config: ModelConfig, wish: number | undefined): number {
  if (wish === undefined) return Math.min(config.contextLength, defaultContextLength);
  if (!Number.isSafeInteger(wish) || wish < 1) {
    throw new ShaderloomError("REQUEST.contextLength", `contextLength is ${wish}. Give a positive whole number of tokens.`);
  }
  if (wish > config.contextLength) {
    throw new ShaderloomError(
      "CONTEXT.limit",
      `The model was trained for ${config.contextLength} tokens and ${wish} were asked for. Set contextLength to ${config.contextLength} or less.`,
      { detail: { have: config.contextLength, need: wish } },
    );
  }
  return wish;
}

/**
 * Layout of the KV pages for a context.
 * @throws {ShaderloomError} GPU.limits when a layer's pages would exceed a binding, with the context that fits
 */
export function planKv(options: {
  config: ModelConfig;
  contextLength: number;
  caps: Caps;
  choice: Pick<KvChoice, "type" | "pageTokens" | "order"> & Partial<Pick<KvChoice, "repair">>;
}): KvLayout {
  const { config, contextLength, caps, choice } = options;
  const { type, pageTokens, order, repair } = choice;
  const layout: KvLayout = {
    pageTokens,
    numKvHeads: config.numKvHeads,
    headDim: config.headDim,
    type,
    maxPages: Math.ceil(contextLength / pageTokens),
    order,
    ...(repair && { repair }),
  };
  const most = Math.min(caps.maxBindingBytes, caps.maxBufferBytes);
  const need = layout.maxPages * kvPageBytes(layout);
  if (need <= most) return layout;
  const fits = Math.floor(most / kvPageBytes(layout)) * pageTokens;
  const smaller = smallerType(type);
  const instead = smaller ? `, or kv.type to "${smaller}"` : "";
  throw new ShaderloomError(
    "GPU.limits",
    `${contextLength} tokens of context need ${need} bytes a layer and this GPU binds ${most}. Set contextLength to ${fits} or less${instead}.`,
    { detail: { need, have: most, contextLength: fits } },
  );
}

/** How many pages there may be, and whether those of earlier requests are kept. */
export interface KvPool {
  readonly maxPages: number;
  readonly keepPrefixes: boolean;
}

/** Pages that `kv.budget` has room for, as far as one binding holds a layer's; without it those of one context. */
export function planKvPool(options: { layout: KvLayout; numLayers: number; caps: Caps; kv: KvOptions | undefined }): KvPool {
  const { layout, numLayers, caps, kv = {} } = options;
  const pageBytes = kvPageBytes(layout);
  const binding = Math.floor(Math.min(caps.maxBindingBytes, caps.maxBufferBytes) / pageBytes);
  // One range holds one conversation, however much there may be.
  const bound = layout.order === "contiguous" ? Math.min(binding, layout.maxPages) : binding;
  const wanted = kv.budget === undefined ? layout.maxPages : Math.floor((kv.budget / numLayers - kvTailBytes(layout)) / pageBytes);
  return { maxPages: Math.max(1, Math.min(bound, wanted)), keepPrefixes: kv.prefixCache ?? true };
}
