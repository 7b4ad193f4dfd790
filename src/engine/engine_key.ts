// What makes keys and values what they are: the model, down to its weights and vocabulary, and the form that they are kept in. Two engines of
// equal keys can go on from each other's conversations. Not in it: the adapter, and with it rounding; the length of the context.

import type { KvCache } from "../kv/kv_cache.ts";
import { sha256 } from "../store/hash.ts";
import type { Tokenizer } from "../text/tokenizer.ts";
import type { LoadedModel } from "./model.ts";
import { type EngineKey, type LayoutFacts, snapshotVersion } from "./snapshot_facts.ts";
import type { WeightDigest } from "./weight_digest.ts";

export interface KeyParts {
  readonly model: Pick<LoadedModel, "file" | "architecture" | "config" | "activations" | "tables" | "kv">;
  readonly tokenizer: Pick<Tokenizer, "vocabSize" | "tokenText">;
  readonly cache: Pick<KvCache, "layout" | "numLayers">;
  readonly weights: WeightDigest;
  /** Versions or samples of the files, where not all weights go by at a load. */
  readonly origin: readonly string[] | undefined;
}

/** Turns of the first positions tell of every scaling. */
const ropePositions = 8;

/** Takes some tens of milliseconds. @throws {ShaderloomError} ENV.insecure */
export async function engineKey({ model, tokenizer, cache, weights, origin }: KeyParts): Promise<EngineKey> {
  const { file, architecture, config, activations, tables, kv } = model;
  const { name, contextLength: _contextLength, ...shape } = config;
  const tensors = [...file.tensors.values()].map((tensor) => `${tensor.name} ${tensor.type} ${tensor.shape.join("x")}`).toSorted();
  const rope = tables.find((table) => table.name === "rope")?.data;
  const turns = rope && Array.from(rope.subarray(0, (rope.length / (kv.maxPages * kv.pageTokens)) * ropePositions));
  const vocabulary = Array.from({ length: tokenizer.vocabSize }, (_, id) => tokenizer.tokenText(id)).join("\0");
  const digested = weights.text(origin && ((tensor) => !tensor.startsWith("blk.")));
  const parts = [
    architecture.name,
    JSON.stringify(shape),
    tensors.join("\n"),
    JSON.stringify(turns ?? []),
    vocabulary,
    digested,
    ...(origin ?? []),
  ];
  const hash = await digest((await Promise.all(parts.map((part) => digest(part)))).join("\n"));
  const layout = layoutFacts(cache, activations);
  const ordered = Object.keys(layout)
    .toSorted()
    .map((key) => `${key} ${layout[key]}`);
  return { model: name, hash, layout, prefix: await digest(`${snapshotVersion} ${hash}\n${ordered.join("\n")}`) };
}

function layoutFacts({ layout, numLayers }: KeyParts["cache"], activations: string): LayoutFacts {
  const { maxPages: _maxPages, order = "paged", ...rest } = layout;
  const facts: Record<string, string | number> = { order, numLayers, activations };
  for (const [name, fact] of Object.entries(rest)) if (typeof fact === "string" || typeof fact === "number") facts[name] = fact;
  return facts;
}

function digest(text: string): Promise<string> {
  return sha256(new TextEncoder().encode(text));
}
