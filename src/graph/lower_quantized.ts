// What attention over quantized keys and values is lowered to beside its kernels: channels in another order before they are stored, and rows of
// prefill that go into pages by way of what queries of the same page see. A chunk of its own: most loads quantize neither.

import type { KvLayout } from "../base/layout.ts";
import { kvQuantize } from "../kernels/kv_quantize.ts";
import { recentSpec } from "../kernels/kv_pages.ts";
import { kvRepair } from "../kernels/kv_repair.ts";
import { kvRecent } from "../kernels/kv_recent.ts";
import { regroup } from "../kernels/regroup.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import type { AttentionNode, ReadyHeads, Value } from "./ir.ts";
import type { QuantizedLowering, Regrouped, Stored, Storing, ValueSource } from "./lowering.ts";

/** Stores the rows of prefill in pages that are quantized when they are full. */
function storePages({ layer }: AttentionNode, inputs: readonly Value[], { options, values }: Storing): Stored {
  const { kv } = options;
  const recent = values.make(`blk.${layer}.kv_recent`, recentSpec(kv));
  const quantize = kernelCall(kvQuantize, { kv }, { inputs: [recent], outputs: [], layer }, `blk.${layer}.kv_quantize`);
  const repair = kv.repair ? [kernelCall(kvRepair, { kv, own: "recent" }, { inputs: [recent], outputs: [], layer })] : [];
  return { recent, calls: [kernelCall(kvRecent, { kv }, { inputs, outputs: [recent], layer }), quantize, ...repair] };
}

/** Repairs the pages that rows of decode fill. */
function storedPages({ layer }: AttentionNode, kv: KvLayout): readonly KernelCall[] {
  return kv.repair ? [kernelCall(kvRepair, { kv, own: "tail" }, { inputs: [], outputs: [], layer })] : [];
}

/** Queries and keys with their channels in the order that the node asks for. */
function regrouped(
  { channelOrder, layer, numHeads, numKvHeads, headDim }: AttentionNode,
  { query, key, value }: ReadyHeads,
  values: ValueSource,
): Regrouped {
  if (!channelOrder) return { query, key, value, calls: [] };
  const one = (input: Value, count: number, name: string): { readonly output: Value; readonly call: KernelCall } => {
    const output = values.make(`blk.${layer}.${name}`, { rows: "rows", cols: count * headDim, type: "act" });
    const operands = { inputs: [input], outputs: [output], tables: [channelOrder] };
    return { output, call: kernelCall(regroup, { heads: count, numKvHeads, headDim }, operands) };
  };
  const queries = one(query, numHeads, "queries_regrouped");
  const keys = one(key, numKvHeads, "keys_regrouped");
  return { query: queries.output, key: keys.output, value, calls: [queries.call, keys.call] };
}

export const quantizedLowering: QuantizedLowering = { storePages, regrouped, storedPages };
