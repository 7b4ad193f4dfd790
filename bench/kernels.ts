// Every kernel that models run, in every weight type, at the shapes of models: the fastest variant of each, what it moves and
// multiplies against what the adapter can, and what the variants beside it take.

import type { WeightFormat } from "../src/formats/format.ts";
import type { KernelCall } from "../src/graph/call.ts";
import type { KernelTarget, Precision, Variant } from "../src/kernels/kernel.ts";
import { callKey, modelCalls, type Phase } from "./model_calls.ts";
import type { TimingOptions } from "./measure.ts";
import { StepOperands } from "./operands.ts";
import { type Arena, fastest, type RivalTime, timeRivals } from "./rivals.ts";

export interface KernelRow {
  readonly kernel: string;
  readonly phase: Phase;
  readonly precision: Precision;
  /** Weight type; absent for kernels without weights. */
  readonly type?: string;
  /** `2048 x 8192` of a weight [n, k], or the columns of the output. */
  readonly shape: string;
  /** Of the step. */
  readonly rows: number;
  readonly pastTokens: number;
  /** Models that have this call. */
  readonly models: string[];
  /** Bytes that must move and multiply-adds that must be done. */
  readonly work: { readonly bytes: number; readonly macs: number };
  /** The first is the default. */
  readonly variants: readonly RivalTime[];
  /** Of the fastest right one. */
  readonly best?: string;
  readonly ms?: number;
  readonly gigabytesPerSecond?: number;
  readonly gigamacsPerSecond?: number;
  /** Time of the default over the best's. */
  readonly gain?: number;
}

export interface KernelPlan {
  readonly models: readonly string[];
  readonly formats: readonly WeightFormat[];
  readonly precisions: readonly Precision[];
  readonly phases: readonly Phase[];
  readonly prefillRows: number;
  /** Tokens before a decode step. */
  readonly pastTokens: number;
  readonly kernels?: readonly string[];
}

/** One measurement to make. */
export interface KernelItem {
  readonly call: KernelCall;
  readonly target: KernelTarget;
  readonly phase: Phase;
  readonly models: string[];
  readonly type?: string;
  readonly rows: number;
  readonly pastTokens: number;
}

/** Calls of all models, each once, in the order formats, models. */
export function planKernels({ caps }: Pick<KernelTarget, "caps">, plan: KernelPlan): KernelItem[] {
  const { models, formats, precisions, phases, prefillRows, pastTokens, kernels } = plan;
  const items = new Map<string, KernelItem>();
  for (const format of formats) {
    for (const precision of precisions) {
      for (const phase of phases) {
        for (const model of models) {
          for (const { call, target } of modelCalls(model, { caps, precision, phase, format, prefillRows })) {
            if (kernels && !kernels.includes(call.kernel)) continue;
            const key = `${phase} ${callKey(call, target)}`;
            const known = items.get(key);
            if (known) {
              if (!known.models.includes(model)) known.models.push(model);
              continue;
            }
            const rows = phase === "decode" ? 1 : prefillRows;
            const past = phase === "decode" ? pastTokens : 0;
            const type = call.weights.length > 0 ? { type: format.name } : {};
            items.set(key, { call, target, phase, models: [model], ...type, rows, pastTokens: past });
          }
        }
      }
    }
  }
  return [...items.values()];
}

function shapeOf({ weights, outputSpecs, inputs }: KernelCall): string {
  if (weights.length > 0) return weights.map(({ rows, cols }) => `${rows} x ${cols}`).join(", ");
  const cols = outputSpecs[0]?.cols ?? inputs[0]?.cols;
  return cols === undefined ? "-" : String(cols);
}

/** Variants that the default beats by this much are not worth more time. */
export async function measureKernel(
  arena: Arena,
  item: KernelItem,
  options: { timing: TimingOptions; variants?: (all: readonly Variant[]) => readonly Variant[] },
): Promise<KernelRow> {
  const { call, target, phase, models, type, rows, pastTokens } = item;
  const overHead = call.outputs[0]?.rows === "outputRows" && call.inputs[0]?.rows === "outputRows";
  return call.visit(async (kernel, attributes): Promise<KernelRow> => {
    const stepRows = overHead ? target.maxRows : rows;
    const outputRows = overHead ? target.maxRows : 1;
    const operands = new StepOperands(arena.device, { kernel, attributes, target, rows: stepRows, outputRows, pastTokens });
    try {
      const all = kernel.variants(attributes, target);
      const variants = await timeRivals(arena, operands, options.variants?.(all) ?? all, options.timing);
      const work = kernel.work(attributes, { rows: stepRows, outputRows, contextTokens: operands.made.contextTokens });
      const best = fastest(variants);
      const first = variants[0]?.ms;
      return {
        kernel: kernel.name,
        phase,
        precision: target.precision,
        ...(type !== undefined && { type }),
        shape: shapeOf(call),
        rows: stepRows,
        pastTokens,
        models,
        work,
        variants,
        ...(best && {
          best: best.key,
          ms: best.ms,
          gigabytesPerSecond: work.bytes / best.ms / 1e6,
          gigamacsPerSecond: work.macs / best.ms / 1e6,
          ...(first !== undefined && { gain: first / best.ms }),
        }),
      };
    } finally {
      operands.destroy();
    }
  });
}
