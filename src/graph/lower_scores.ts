// Calls behind attention for policies that drop tokens by the attention that keys got. A chunk of its own: most loads drop nothing.

import type { KvScoresAttributes } from "../kernels/eviction_layout.ts";
import { kvScores, kvScoreSums } from "../kernels/kv_scores.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import type { AttentionNode, Value } from "./ir.ts";
import type { AfterAttention, LowerOptions } from "./lowering.ts";

/** What sums attention behind each attention over many rows. */
export function summedAttention(noise: Pick<KvScoresAttributes, "noiseSpan">): NonNullable<LowerOptions["afterAttention"]> {
  return ({ layer, numHeads, scale }: AttentionNode, query: Value, { kv, values }: AfterAttention): KernelCall[] => {
    const attributes: KvScoresAttributes = { kv, numHeads, scale, ...noise };
    const sums = values.make(`blk.${layer}.score_sums`, { rows: "rows", cols: numHeads, type: "f32" });
    return [
      kernelCall(kvScoreSums, attributes, { inputs: [query], outputs: [sums], layer }),
      kernelCall(kvScores, attributes, { inputs: [query, sums], outputs: [], layer }, `blk.${layer}.kv_scores`),
    ];
  };
}
