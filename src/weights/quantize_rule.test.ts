// Which type a tensor is computed with, for every kind of tensor and wish.

import { describe, expect, test } from "vitest";
import { gpuType, quantizedHeader, type QuantizeType } from "./quantize_rule.ts";
import type { Float8, ModelHeader, TensorInfo } from "./tensor_info.ts";

const F32 = 0;
const F16 = 1;
const Q4_0 = 2;
const Q8_0 = 8;
const Q4_K = 12;
const Q6_K = 14;
const BF16 = 30;
const matrix = "blk.0.ffn_up.weight";

describe("the type that weights are computed with", () => {
  test.each<[string, string, number[], number | Float8, QuantizeType | undefined, number]>([
    ["floats stay as they are unless asked", matrix, [64, 256], BF16, undefined, BF16],
    ["FP8 is Q8_0, as int8 is the default 8-bit type", matrix, [64, 256], "F8_E4M3", undefined, Q8_0],
    ["FP8 rows that fill no blocks keep all their bits", matrix, [64, 100], "F8_E5M2", undefined, F32],
    ["FP8 becomes what is asked for", matrix, [64, 256], "F8_E4M3", "q4_k", Q4_K],
    ["F32 to Q8_0", matrix, [64, 96], F32, "q8_0", Q8_0],
    ["F16 to Q4_0", matrix, [64, 96], F16, "q4_0", Q4_0],
    ["BF16 to Q4_K", matrix, [64, 512], BF16, "q4_k", Q4_K],
    ["rows that are no multiple of 256 fall back to blocks of 32", matrix, [64, 352], BF16, "q4_k", Q4_0],
    ["rows that fill no blocks stay", matrix, [64, 172], BF16, "q4_0", BF16],
    ["embeddings keep 8 bits", "token_embd.weight", [64, 256], BF16, "q4_k", Q8_0],
    ["so do heads", "output.weight", [64, 256], F32, "q4_0", Q8_0],
    ["vectors stay", "blk.0.attn_norm.weight", [256], BF16, "q8_0", BF16],
    ["FP8 vectors keep all their bits", "blk.0.attn_q.bias", [256], "F8_E4M3", "q8_0", F32],
    ["quantized weights stay", matrix, [64, 256], Q6_K, "q4_0", Q6_K],
    ["quantized weights of more bits stay too", matrix, [64, 256], Q8_0, "q4_0", Q8_0],
    ["a matrix without weights stays", matrix, [0, 256], BF16, "q8_0", BF16],
  ])("%s", (...row) => {
    const [, name, shape, dtype, wanted, type] = row;
    expect(gpuType({ name, shape, dtype }, wanted)).toBe(type);
  });
});

test("a header keeps where its bytes are, and says how they are stored", () => {
  const scales = { name: "s", type: F32, blockRows: 1, blockCols: 256, perRow: 1, offset: 900, bytes: 4 };
  const tensors = new Map<string, TensorInfo>([
    [matrix, { name: matrix, type: BF16, shape: [2, 256], offset: 64, bytes: 1024 }],
    [
      "blk.0.ffn_down.weight",
      { name: "blk.0.ffn_down.weight", type: Q8_0, shape: [2, 256], offset: 2048, bytes: 512, stored: { type: "F8_E4M3", scales } },
    ],
    ["blk.0.attn_norm.weight", { name: "blk.0.attn_norm.weight", type: F32, shape: [4], offset: 4096, bytes: 16 }],
  ]);
  const header: ModelHeader = { metadata: new Map(), tensors };
  expect(quantizedHeader(header, undefined)).toBe(header);
  const found = quantizedHeader(header, "q4_k").tensors;
  expect(found.get(matrix)).toMatchObject({ type: Q4_K, offset: 64, bytes: 1024, stored: { type: BF16 } });
  expect(found.get("blk.0.ffn_down.weight")).toMatchObject({ type: Q4_K, stored: { type: "F8_E4M3", scales } });
  expect(found.get("blk.0.attn_norm.weight")).toBe(tensors.get("blk.0.attn_norm.weight"));
});
