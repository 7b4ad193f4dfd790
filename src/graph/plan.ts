// Lowers a model's graph to its two programs so that they have at most so many pipelines: browsers take long to compile each. Files whose
// weight types change from layer to layer would have twice as many; there products share pipelines, then passes are given up.

import type { KernelTarget } from "../kernels/kernel.ts";
import { defaultFusion } from "./fuse/index.ts";
import type { FusionName } from "./fuse/names.ts";
import type { Graph } from "./ir.ts";
import { lower, type Lowered } from "./lower.ts";
import type { LowerOptions } from "./lowering.ts";
import { shareProducts } from "./sharing.ts";
import { countPipelines, limitTiers, type TierLimits } from "./tiers.ts";

export interface PlanOptions extends Omit<LowerOptions, "phase" | "pairs"> {
  /** Rows of each program, and of its head. */
  readonly rows: Readonly<Record<LowerOptions["phase"], { readonly rows: number; readonly outputRows: number }>>;
  /** Pipelines that both programs may have together, as long as products run their defaults. */
  readonly most: number;
}

export interface Plan {
  readonly decode: Lowered;
  readonly prefill: Lowered;
  readonly tiers: TierLimits;
}

/** What is given up, each in addition to those before it, what costs least first. */
const sacrifices: readonly { readonly phase: LowerOptions["phase"]; readonly pass: FusionName | "pairs" }[] = [
  { phase: "prefill", pass: "residual" },
  { phase: "decode", pass: "pairs" },
  { phase: "decode", pass: "norm" },
  { phase: "decode", pass: "merge" },
  { phase: "decode", pass: "residual" },
];

/** The plan that gives up least of those with at most `most` pipelines, or with the fewest that can be. */
export function planPrograms(graph: Graph, options: PlanOptions): Plan {
  let best = attempt(graph, options, 0);
  // Passes that somebody chose are left alone.
  const furthest = options.fusion ? 0 : sacrifices.length;
  for (let count = 1; count <= furthest && best.pipelines > options.most; count++) {
    const next = attempt(graph, options, count);
    if (next.pipelines < best.pipelines) best = next;
  }
  return best;
}

function attempt(graph: Graph, options: PlanOptions, count: number): Plan & { readonly pipelines: number } {
  const { rows, most, target: given, fusion, ...rest } = options;
  const lowered = (
    phase: LowerOptions["phase"],
  ): { lowered: Lowered; target: KernelTarget; maxOutputRows: number; calls: Lowered["calls"] } => {
    const target = { ...given, maxRows: rows[phase].rows };
    const gone = new Set<string>(sacrifices.slice(0, count).flatMap((one) => (one.phase === phase ? [one.pass] : [])));
    const passes = fusion ?? new Set([...defaultFusion(phase, target)].filter((name) => !gone.has(name)));
    const made = lower(graph, { ...rest, phase, target, fusion: passes, pairs: !gone.has("pairs") });
    return { lowered: made, target, maxOutputRows: rows[phase].outputRows, calls: made.calls };
  };
  const programs = [lowered("decode"), lowered("prefill")];
  const tiers = limitTiers(programs, most);
  const [decode, prefill] = shareProducts(programs, tiers, most);
  const pipelines = countPipelines([decode, prefill], tiers, new Map());
  return { decode: { ...decode.lowered, calls: decode.calls }, prefill: { ...prefill.lowered, calls: prefill.calls }, tiers, pipelines };
}
