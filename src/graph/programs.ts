// A model's graph as its two programs, with at most so many pipelines where that can be: browsers take long to compile each.

import { isKvNumber } from "../base/kv_types.ts";
import { linear } from "../kernels/linear.ts";
import { kernelCall } from "./call.ts";
import { defaultFusion } from "./fuse/index.ts";
import type { Graph } from "./ir.ts";
import { lower, type Lowered } from "./lower.ts";
import type { LowerOptions } from "./lowering.ts";
import { countPipelines, type KnownTexts, productAttributes, tieredShape, type TieredProgram, type TierLimits } from "./tiers.ts";

type Phase = LowerOptions["phase"];

export interface ProgramsOptions extends Omit<LowerOptions, "phase" | "pairs" | "quantized"> {
  /** Rows of each program, and of its head. */
  readonly rows: Readonly<Record<Phase, { readonly rows: number; readonly outputRows: number }>>;
  /** Pipelines that both programs may have together, as long as products run their defaults. */
  readonly most: number;
}

/** Both programs of a model, lowered. */
export interface Programs {
  readonly decode: Lowered;
  readonly prefill: Lowered;
  readonly tiers: TierLimits;
}

/** The programs that give up least of those with at most `most` pipelines, or the ones with the fewest that can be. */
export async function lowerPrograms(graph: Graph, wanted: ProgramsOptions): Promise<Programs> {
  const quantized = isKvNumber(wanted.kv.type) ? undefined : (await import("./lower_quantized.ts")).quantizedLowering;
  const options = { ...wanted, quantized };
  const known: KnownTexts = { keys: new Map(), texts: new Map() };
  const answers = new Map<string, boolean>();
  const made = new Map<string, LoweredProgram>();
  const count = (programs: readonly TieredProgram[], tiers: TierLimits): number => countPipelines(programs, tiers, known);
  const lowered = (without: ReadonlySet<string>): LoweredProgram[] => {
    return (["decode", "prefill"] as const).map((phase) => {
      const gone = [...without].filter((name) => name.startsWith(phase)).join();
      const found = made.get(`${phase} ${gone}`) ?? lowerOne(graph, { ...options, answers }, { phase, without });
      made.set(`${phase} ${gone}`, found);
      return found;
    });
  };
  const plain = lowered(new Set());
  const few = count(plain, new Map()) <= options.most;
  // More pipelines than wanted are worth no failed load: without its script nothing is given up.
  const script = few ? undefined : await import("./fewer_pipelines.ts").catch(() => undefined);
  const fewer = script?.fewerPipelines(plain, {
    most: options.most,
    fixed: options.fusion !== undefined,
    lowered,
    count,
    shapeOf: tieredShape,
    productOf: productAttributes,
    share: (call, attributes, shared) => kernelCall(linear, { ...attributes, shared }, call, call.name),
  });
  const { programs, tiers } = fewer ?? { programs: plain, tiers: new Map() };
  const [decode, prefill] = programs.map((program) => ({ ...program.lowered, calls: program.calls }));
  return { decode, prefill, tiers };
}

interface LoweredProgram extends TieredProgram {
  readonly lowered: Lowered;
}

/** A program without some passes that would be worth it. */
function lowerOne(
  graph: Graph,
  options: ProgramsOptions,
  { phase, without }: { phase: Phase; without: ReadonlySet<string> },
): LoweredProgram {
  const { rows, most: _most, target: given, fusion, ...rest } = options;
  const target = { ...given, maxRows: rows[phase].rows };
  const passes = fusion ?? new Set([...defaultFusion(phase, target)].filter((name) => !without.has(`${phase} ${name}`)));
  const lowered = lower(graph, { ...rest, phase, target, fusion: passes, pairs: !without.has(`${phase} pairs`) });
  return { lowered, calls: lowered.calls, target, maxOutputRows: rows[phase].outputRows };
}
