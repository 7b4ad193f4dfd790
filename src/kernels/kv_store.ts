// Writes the keys and values of a step's rows into the pages of their sequences.

import { isKvPageType } from "../base/kv_types.ts";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { ceilDiv } from "../base/math.ts";
import type { ConstValue } from "../gpu/shader.ts";
import type { Kernel, KernelTarget, Variant } from "./kernel.ts";
import { isKvTokenType, kvAliases, kvBindings, kvConsts, kvParts, supportsKv } from "./kv_layout.ts";
import { newInputs, pageStoreVariants } from "./kv_pages.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { activationBytes, kvBytes } from "./work.ts";

export interface KvStoreAttributes {
  readonly kv: KvLayout;
}

const workgroupSize = 64;

function variants({ kv }: KvStoreAttributes, target: KernelTarget): readonly Variant[] {
  if (isKvPageType(kv.type)) return pageStoreVariants(kv, target);
  if (!supportsKv(target, kv)) return [];
  const cols = kv.numKvHeads * kv.headDim;
  const consts: Record<string, ConstValue> = { WG: workgroupSize, STRIDE: rowStride(cols) / 4, ...kvConsts(kv) };
  const blocks = isKvTokenType(kv.type);
  // A thread makes four numbers of key and value, or a word of what blocks of one of them share.
  const threads = blocks ? 2 * kv.numKvHeads * Number(consts.KV_SHARED) : cols / 4;
  return [
    {
      key: variantKey(target, "kv_store", `kv_${kv.type}`),
      precision: target.precision,
      header: makeHeader(target, consts, kvAliases(kv, target)),
      files: [
        ...(blocks ? ["kv_store_blocks.wgsl", loopPart(target), `parts/kv_write/${kv.type}.wgsl`] : ["kv_store.wgsl"]),
        ...kvParts(kv, target),
      ],
      bindings: [
        { name: "k", from: "input0", type: "array<vec4<act_t>>", access: "read" },
        { name: "v", from: "input1", type: "array<vec4<act_t>>", access: "read" },
        ...kvBindings("read_write", kv),
      ],
      usesStep: true,
      grid: (step) => [ceilDiv(threads, workgroupSize), step.rows, 1],
    },
  ];
}

/** kv[slot, position] = (k, v) of each row; k, v [rows, numKvHeads * headDim]. Writes pages, has no output. */
export const kvStore: Kernel<KvStoreAttributes> = {
  name: "kv_store",
  outputs: () => [],
  variants,
  operands: ({ kv }) => ({
    inputs: isKvPageType(kv.type)
      ? newInputs(kv)
      : [
          { rows: "rows", cols: kv.numKvHeads * kv.headDim, type: "act" },
          { rows: "rows", cols: kv.numKvHeads * kv.headDim, type: "act" },
        ],
    kv,
  }),
  work: ({ kv }, step) => ({
    bytes: activationBytes(kvStore.operands({ kv }).inputs ?? [], step) + kvBytes(kv, step.rows),
    macs: 0,
  }),
};
