// What a policy that drops tokens asks of a model before it is placed: kernels for its heads, and for policies that go by attention, calls
// that sum it and room for the sums. A chunk of its own: most loads drop nothing.

import { ShaderloomError } from "../base/errors.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { AttentionNode, Rotary } from "../graph/ir.ts";
import type { LowerOptions } from "../graph/lowering.ts";
import { summedAttention } from "../graph/lower_scores.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import type { KvCompactAttributes } from "../kernels/eviction_layout.ts";
import { kvCompact } from "../kernels/kv_compact.ts";
import { type EvictionBuffers, placeEviction } from "./eviction_buffers.ts";
import type { KvEvictOptions } from "./kv_options.ts";
import type { LoadedModel } from "./model.ts";

export interface EvictionPlan {
  readonly afterAttention?: LowerOptions["afterAttention"];
  /** Makes the buffers that dropping tokens takes. */
  readonly place: (ledger: BufferLedger) => EvictionBuffers;
}

/** @throws {ShaderloomError} REQUEST.kv where the policy cannot be with this model */
export function planEviction(model: LoadedModel, evict: KvEvictOptions, target: KernelTarget): EvictionPlan {
  const { policy, keep } = evict;
  const place: EvictionPlan["place"] = (ledger) => placeEviction(model, evict, ledger);
  const attentions = model.graph.nodes.filter((node) => node.op === "attention");
  if (kvCompact.variants(compactAttributes(model), target).length === 0) {
    throw impossible(`kv.evict has no kernels for heads of this model with kv.type "${model.kv.type}". Leave kv.evict out.`);
  }
  if (policy === "window") return { place };
  if (attentions.some(hasRules)) {
    throw impossible(
      `kv.evict.policy "${policy}" keeps tokens at other distances than attention of this model goes by. Use "window", or leave kv.evict out.`,
    );
  }
  return { afterAttention: summedAttention(policy === "keyformer" ? { noiseSpan: keep } : {}), place };
}

/** Whether scores follow from more than products of queries and keys. */
function hasRules({ rules, sinks }: AttentionNode): boolean {
  return rules?.mask !== undefined || rules?.score !== undefined || sinks !== undefined;
}

/** What tokens of a model are moved with. */
export function compactAttributes({ graph, kv }: Pick<LoadedModel, "graph" | "kv">): KvCompactAttributes {
  const rotary = graph.nodes.map(rotaryOf).find((found) => found !== undefined);
  const { rotaryDim, pairing } = rotary ?? { rotaryDim: 0, pairing: "interleaved" };
  return { kv, rotaryDim, pairing, maxPositions: kv.maxPages * kv.pageTokens };
}

function rotaryOf(node: LoadedModel["graph"]["nodes"][number]): Rotary | undefined {
  if (node.op === "rope") return node;
  return node.op === "attention" && "rotary" in node.from ? node.from.rotary : undefined;
}

function impossible(message: string): ShaderloomError {
  return new ShaderloomError("REQUEST.kv", message, { detail: { param: "kv.evict" } });
}
