// What a model's files say before anything of them is downloaded: the header, how large they are, and what is stored of them already.
// Reads the first MiB or few; writes, locks and waits for nothing.

import { asShaderloomError } from "../base/errors.ts";
import type { OpenShard } from "../weights/gguf/split.ts";
import type { QuantizeType } from "../weights/quantize_rule.ts";
import { type ByteSource, type HubOptions, type ModelLocation, openSource } from "../weights/source.ts";
import type { ModelHeader } from "../weights/tensor_info.ts";
import { openModel } from "./model_files.ts";
import type { OpenedModel } from "./opened_model.ts";
import type { StoreOptions } from "./session.ts";
import { type LoadStorage, openLoadStorage } from "./storage.ts";
import type { Estimate } from "./verdict.ts";

export interface FactsOptions {
  readonly model: ModelLocation;
  readonly hub?: HubOptions | undefined;
  readonly store?: StoreOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What float matrices become while they are loaded. */
  readonly quantize?: QuantizeType | undefined;
}

export interface ModelFacts {
  readonly file: ModelHeader;
  /** Of all its files. */
  readonly fileBytes: number;
  readonly downloadBytes: number;
  readonly storage: Estimate["storage"];
  /** Its id in the store; undefined when nothing of it is stored. */
  readonly stored: string | undefined;
}

/** @throws {ShaderloomError} SOURCE, NET, INTEGRITY, STORE (of stored models), FORMAT, LIMIT, MODEL.shards, AbortError */
export async function readFacts(options: FactsOptions): Promise<ModelFacts> {
  const storage = await openLoadStorage(options.model, options.store);
  try {
    return await factsWith(options, storage);
  } finally {
    storage.models?.close();
  }
}

async function factsWith(options: FactsOptions, storage: LoadStorage): Promise<ModelFacts> {
  const { file, source, sources } = await peek(options, storage);
  try {
    const fileBytes = sum(sources, ({ size }) => size);
    const storedBytes = sum(sources, ({ stored }) => stored?.storedBytes() ?? 0);
    const downloadBytes = sum(sources, (one) => (mayBeRemote(options.model, one) ? bytesLeft(one) : 0));
    const space = await storage.models?.space();
    const neededBytes = storage.models ? downloadBytes : 0;
    const availableBytes = space?.availableBytes ?? null;
    const stored = sources[0]?.stored?.model;
    return {
      file,
      fileBytes,
      downloadBytes,
      stored,
      storage: { neededBytes, availableBytes, persisted: space?.persisted ?? false, storedBytes },
    };
  } finally {
    source.close?.();
  }
}

/** The header of the model; a store that cannot be asked keeps nobody from it. */
async function peek({ model, hub, store = {}, signal, quantize }: FactsOptions, storage: LoadStorage): Promise<OpenedModel> {
  const { models, diagnostics } = storage;
  const shared = {};
  const mode = store.mode === "refresh" ? store.mode : ("use" as const);
  const opener = (use: Parameters<typeof openSource>[1]): OpenShard => {
    return (location, { index, first }) =>
      openSource(location, {
        peek: true,
        shared,
        diagnostics,
        file: index,
        ...(hub ? { hub } : {}),
        ...(signal ? { signal } : {}),
        ...(first?.stored ? { model: first.stored.model } : {}),
        ...use,
      });
  };
  const rest = { signal, quantize };
  if (!models) return openModel(model, { ...rest, open: opener({}) });
  try {
    const open = opener({ store: { models, mode, onFull: "memory", evict: false } });
    return await openModel(model, { ...rest, open, models, trusted: mode === "use" });
  } catch (thrown) {
    const error = asShaderloomError(thrown);
    if (!error.code.startsWith("STORE.") || isStored(model)) throw error;
    return openModel(model, { ...rest, open: opener({}) });
  }
}

function sum(sources: readonly ByteSource[], of: (source: ByteSource) => number): number {
  return sources.reduce((total, source) => total + of(source), 0);
}

function bytesLeft({ size, local, stored }: ByteSource): number {
  return local === true ? 0 : Math.max(0, size - (stored?.storedBytes() ?? 0));
}

/** A remembered file of this computer is a stored model of which nothing is stored. */
function mayBeRemote(model: ModelLocation, { stored }: ByteSource): boolean {
  if (isStored(model)) return stored !== undefined;
  return [model].flat().some((one) => typeof one === "string" || one instanceof URL);
}

function isStored(model: ModelLocation): boolean {
  return typeof model === "string" && model.startsWith("stored:");
}
