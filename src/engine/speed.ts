// How long a model's steps would take, from the rates of an adapter: the sum over the very kernel calls that its programs are made of.
// Knows kernels by their name and shapes, no model.

import { assert } from "../base/errors.ts";
import { blockWidth } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import { formatName } from "../formats/index.ts";
import type { KernelCall } from "../graph/call.ts";
import type { Value } from "../graph/ir.ts";
import type { Lowered } from "../graph/lower.ts";
import { callTargets, type TierLimits } from "../graph/tiers.ts";
import type { AttentionAttributes } from "../kernels/attention.ts";
import { cpuHeads } from "../kernels/attention_decode.ts";
import { gemmTileRows } from "../kernels/gemm.ts";
import { gemvColumns } from "../kernels/gemv.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import { chunkRows, headRows, type RunnerPlan, slots } from "./placement.ts";
import type { AdapterProbe } from "./verdict.ts";

/** The prompt whose prefill is foretold, and the answer after it. */
export const promptTokens = 128;
const answerTokens = 64;

/** A step of one sequence; the rows are consecutive positions that end at `contextTokens`. */
interface Step {
  readonly target: KernelTarget;
  readonly limits: TierLimits;
  readonly rows: number;
  readonly outputRows: number;
  readonly contextTokens: number;
  /** Query heads of a KV head. */
  readonly group: number;
  readonly probe: AdapterProbe;
}

/** Inputs that the K of a small product of the probe has on GPUs; a tile that is alone takes time in proportion to it. */
const startK = 1024;

export interface Speed {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** Milliseconds of a token after its last layer: the head, the choice, and hearing of it. */
  readonly headMs: number;
}

/** Weight formats of a plan's products, those with the most weights first. */
export function productFormats(plan: RunnerPlan): string[] {
  const weights = new Map<string, number>();
  for (const call of plan.decode.calls) {
    if (call.kernel === "linear") weights.set(formatOf(call), (weights.get(formatOf(call)) ?? 0) + weightsOf(call));
  }
  return [...weights].toSorted(([, a], [, b]) => b - a).map(([name]) => name);
}

/** Undefined when the probe lacks a format of the plan. */
export function predictSpeed(plan: RunnerPlan, probe: AdapterProbe): Speed | undefined {
  if (productFormats(plan).some((name) => probe.decodeWeights[name] === undefined)) return undefined;
  const group = groupOf(plan);
  const prompt = { group, limits: plan.tiers, target: plan.target, rows: promptTokens, outputRows: 1, contextTokens: promptTokens, probe };
  const prefillMs = stepMs(plan.prefill, { ...prompt, target: { ...plan.target, maxRows: chunkRows } }, ["body", "head", "sample"]);
  const contextTokens = promptTokens + answerTokens / 2;
  const token = { group, limits: plan.tiers, target: { ...plan.target, maxRows: slots }, rows: 1, outputRows: 1, contextTokens, probe };
  const decodeMs = stepMs(plan.decode, token, ["body", "head", "sample", "advance"]);
  const headMs = stepMs(plan.decode, token, ["head", "sample", "advance"]);
  return { prefillTokensPerSecond: (promptTokens * 1000) / prefillMs, decodeTokensPerSecond: 1000 / decodeMs, headMs };
}

/** Every layer has as many; 1 where there is no attention. */
function groupOf({ decode }: RunnerPlan): number {
  const [shape] = decode.calls.flatMap((call) => attentionOf(call) ?? []);
  return shape ? shape.numHeads / shape.kv.numKvHeads : 1;
}

/** Heads of an attention kernel. */
function attentionOf(call: KernelCall): AttentionAttributes | undefined {
  return call.visit((_kernel, attributes) => (isAttention(attributes) ? attributes : undefined));
}

function isAttention<A>(attributes: A): attributes is A & AttentionAttributes {
  return typeof attributes === "object" && attributes !== null && "numHeads" in attributes && "scale" in attributes;
}

/** Columns of the queries of an attention kernel. */
function queryCols(call: KernelCall): number {
  const shape = attentionOf(call);
  assert(shape, `${call.name} is no attention`);
  return shape.numHeads * shape.kv.headDim;
}

function stepMs(lowered: Lowered, step: Step, sections: readonly string[]): number {
  const ranges = lowered.sections.filter(({ name }) => sections.includes(name));
  const calls = ranges.flatMap(({ start, end }) => lowered.calls.slice(start, end));
  return calls.reduce((sum, call) => sum + callMs(call, step), step.probe.readbackMs);
}

function callMs(call: KernelCall, step: Step): number {
  const { probe } = step;
  switch (call.kernel) {
    case "linear":
      return productMs(call, step);
    case "attention_prefill": {
      const { rows, contextTokens } = step;
      const keys = rows * contextTokens - (rows * (rows - 1)) / 2;
      return probe.dispatchMs + (keys * queryCols(call) * 1000) / probe.attentionProducts.prefill;
    }
    case "attention_decode": {
      // A group that does not fill a thread's heads takes as long as one that does.
      const fill = step.target.deviceClass === "cpu" ? alignUp(step.group, cpuHeads(step.group)) / step.group : 1;
      return probe.dispatchMs + (step.contextTokens * queryCols(call) * fill * 1000) / probe.attentionProducts.decode;
    }
    default:
      return probe.dispatchMs + (elementBytes(call, step) * 1000) / probe.elementBytes;
  }
}

/**
 * Of the pipelines that programs have for a call the one that this many rows run, by its first variant, which is what the probe timed.
 * The kernel's own name for it tells which of the two products it is: `gemv/q4_k/f32/cpu`.
 */
function productMs(call: KernelCall, { target, limits, rows, outputRows, probe }: Step): number {
  const overHead = call.outputs[0].rows === "outputRows";
  const used = overHead ? outputRows : rows;
  const tiers = callTargets(call, { target, tiers: limits, maxOutputRows: target.maxRows > 1 ? headRows : target.maxRows });
  const tier = tiers.find(({ maxRows }) => maxRows >= used);
  assert(tier, "the last tier holds every step");
  const [variant] = call.variants(tier);
  assert(variant, "linear has a variant for every target");
  const format = formatOf(call);
  const weights = weightsOf(call);
  if (variant.key.startsWith("gemv/")) {
    const passes = target.deviceClass === "cpu" ? used : ceilDiv(used, Math.min(tier.maxRows, gemvColumns));
    return probe.productStartMs.decode + (passes * weights * 1000) / probe.decodeWeights[format];
  }
  const products = alignUp(used, gemmTileRows(target.deviceClass)) * weights;
  const startMs = probe.productStartMs.prefill * (target.deviceClass === "gpu" ? Math.max(1, call.weights[0].cols / startK) : 1);
  return startMs + (products * 1000) / probe.prefillProducts[format];
}

function formatOf(call: KernelCall): string {
  const name = formatName(call.weights[0].ggufType);
  assert(name, `${call.name} has a weight of a known format`);
  return name;
}

/** Weights of a product, padded as the kernel reads them. */
function weightsOf(call: KernelCall): number {
  const [{ rows, cols }] = call.weights;
  return rows * alignUp(cols, blockWidth);
}

/** Columns that a workgroup of a kernel on single elements takes: 64 threads of four each; those past the end idle. */
const elementCols = 256;

/** Bytes that a kernel on single elements reads and writes. */
function elementBytes(call: KernelCall, step: Step): number {
  const bytes = ({ rows, cols, type }: Value): number => {
    const count = (rows === "rows" ? step.rows : step.outputRows) * (type === "u32" ? cols : alignUp(cols, elementCols));
    return count * (type === "act" && step.target.precision === "f16" ? 2 : 4);
  };
  const written = call.outputs.reduce((sum, value) => sum + bytes(value), 0);
  const read = call.inputs.reduce((sum, value) => sum + bytes(value), 0);
  switch (call.kernel) {
    // These read no more than they write: some of the rows, the ranges in use.
    case "gather_rows":
    case "attention_merge":
      return 2 * written;
    // Into the pages.
    case "kv_store":
    case "heads":
      return 2 * read;
    // With a cosine and a sine for each pair, and a pair for each thread instead of four elements.
    case "rope":
      return 2 * (2 * read + written);
    default:
      return read + written;
  }
}
