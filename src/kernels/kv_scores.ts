// How much attention each key gets, for policies that drop tokens by it: first what probabilities of a row are divided by, then sums of
// probabilities over rows. Behind attention in prefill programs of loads with such a policy; they do nothing unless the scores' first word
// says so. Their texts come with them.

import sumsShader from "../../shaders/kv_score_sums.wgsl?raw";
import scoresShader from "../../shaders/kv_scores.wgsl?raw";
import gumbelPart from "../../shaders/parts/observe/gumbel.wgsl?raw";
import plainPart from "../../shaders/parts/observe/plain.wgsl?raw";
import { type KvLayout, rowStride } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import type { ConstValue, ShaderFile } from "../gpu/shader.ts";
import { type KvScoresAttributes, scoredTokens, scoresHeader, scoreWords } from "./eviction_layout.ts";
import type { InputSpec, Kernel, KernelBinding, KernelTarget, KernelWork, OutputSpec, StepShape, Variant } from "./kernel.ts";
import { kvAliases, kvBindings, kvConsts, kvParts, supportsKv } from "./kv_layout.ts";
import { loopPart, makeHeader, variantKey } from "./target.ts";
import { kvBytes } from "./work.ts";

const workgroupSize = 32;

function sumsSpec({ numHeads }: KvScoresAttributes): OutputSpec & InputSpec {
  return { rows: "rows", cols: numHeads, type: "f32" };
}

function querySpec({ kv, numHeads }: KvScoresAttributes): InputSpec {
  return { rows: "rows", cols: numHeads * kv.headDim, type: "act" };
}

interface Shape {
  readonly name: string;
  readonly file: ShaderFile;
  readonly bindings: readonly KernelBinding[];
  readonly grid: Variant["grid"];
}

function variantsOf(attributes: KvScoresAttributes, target: KernelTarget, { name, file, bindings, grid }: Shape): readonly Variant[] {
  const { kv, numHeads, scale, noiseSpan } = attributes;
  if (!supportsKv(target, kv) || (kv.type !== "f32" && kv.type !== "f16")) return [];
  const consts: Record<string, ConstValue> = {
    WG: workgroupSize,
    ...kvConsts(kv),
    HEADS: numHeads,
    GROUP: numHeads / kv.numKvHeads,
    STRIDE: rowStride(numHeads * kv.headDim) / 4,
    SUM_STRIDE: rowStride(numHeads),
    TOKENS: scoredTokens(kv),
    SCORES_HEADER: scoresHeader,
    SCALE: { f32: scale },
    ...(noiseSpan !== undefined && { OBSERVE_SPAN: noiseSpan }),
  };
  const observe: ShaderFile =
    noiseSpan === undefined
      ? { name: "parts/observe/plain.wgsl", text: plainPart }
      : { name: "parts/observe/gumbel.wgsl", text: gumbelPart };
  return [
    {
      key: variantKey(target, name, ...(noiseSpan === undefined ? [] : ["noise"]), `kv_${kv.type}`),
      precision: target.precision,
      header: makeHeader(target, consts, kvAliases(kv, target)),
      files: [file, observe, loopPart(target), ...kvParts(kv, target)],
      bindings: [{ name: "q", from: "input0", type: "array<vec4<act_t>>", access: "read" }, ...bindings, ...kvBindings("read")],
      usesStep: true,
      grid,
    },
  ];
}

function workOf({ kv, numHeads }: KvScoresAttributes, { rows, contextTokens }: StepShape): KernelWork {
  const pairs = rows * contextTokens - (rows * (rows - 1)) / 2;
  return { bytes: kvBytes(kv, contextTokens) / 2 + 4 * rows * numHeads * (kv.headDim + 1), macs: pairs * numHeads * kv.headDim };
}

/** sums [rows, numHeads] = log sum exp of a row's scores; of queries [rows, numHeads * headDim]. */
export const kvScoreSums: Kernel<KvScoresAttributes> = {
  name: "kv_score_sums",
  outputs: (attributes) => [sumsSpec(attributes)],
  variants: (attributes, target) =>
    variantsOf(attributes, target, {
      name: "kv_score_sums",
      file: { name: "kv_score_sums.wgsl", text: sumsShader },
      bindings: [
        { name: "scores", from: "scores", type: "array<f32>", access: "read" },
        { name: "sums", from: "output0", type: "array<f32>", access: "read_write" },
      ],
      grid: (step) => [ceilDiv(ceilDiv(step.rows, 4), workgroupSize), rowStride(attributes.numHeads), 1],
    }),
  operands: (attributes) => ({ inputs: [querySpec(attributes)], kv: attributes.kv, scores: scoreWords(attributes.kv) }),
  work: workOf,
};

/** scores[kv head, key] += probabilities of the key over all rows; of queries and `kv_score_sums`. arXiv:2404.14469 */
export const kvScores: Kernel<KvScoresAttributes> = {
  name: "kv_scores",
  outputs: () => [],
  variants: (attributes, target) =>
    variantsOf(attributes, target, {
      name: "kv_scores",
      file: { name: "kv_scores.wgsl", text: scoresShader },
      bindings: [
        { name: "sums", from: "input1", type: "array<f32>", access: "read" },
        { name: "scores", from: "scores", type: "array<f32>", access: "read_write" },
      ],
      grid: (step) => [ceilDiv(step.contextTokens, workgroupSize), attributes.kv.numKvHeads, 1],
    }),
  operands: (attributes) => ({
    // Sums that are too large by a little: probabilities below one, whatever the queries.
    inputs: [querySpec(attributes), { ...sumsSpec(attributes), fill: (rng) => 5 + rng.unit() }],
    kv: attributes.kv,
    scores: scoreWords(attributes.kv),
  }),
  work: workOf,
};

/** Bytes of one layer's scores, where layers lie one behind the other. */
export function scoreBytes(kv: KvLayout): number {
  return alignUp(4 * scoreWords(kv), 256);
}
