// The fusion passes in the order in which they are applied, and which of them pay where. Each can be left out by itself: results differ by
// rounding alone.

import type { KernelTarget } from "../../kernels/kernel.ts";
import type { Graph } from "../ir.ts";
import type { LowerOptions } from "../lowering.ts";
import { gateUp } from "./gate_up.ts";
import { heads } from "./heads.ts";
import { merge } from "./merge.ts";
import { type FusionName, fusionNames } from "./names.ts";
import { norm } from "./norm.ts";
import { outputRows } from "./output_rows.ts";
import type { Pass } from "./pass.ts";
import { pick } from "./pick.ts";
import { qkv } from "./qkv.ts";
import { residual } from "./residual.ts";

const passes: Readonly<Record<FusionName, Pass>> = {
  qkv,
  gate_up: gateUp,
  residual,
  norm,
  merge,
  heads,
  output_rows: outputRows,
  pick,
};

/**
 * What is worth it: on GPUs everything, where a dispatch costs more than what is computed twice. CPU drivers compute in order, so there only
 * what saves work: a norm or a join in every thread's prologue costs more than it saves.
 */
export function defaultFusion(phase: LowerOptions["phase"], { deviceClass }: Pick<KernelTarget, "deviceClass">): ReadonlySet<FusionName> {
  const always: readonly FusionName[] = ["qkv", "gate_up", "residual"];
  if (deviceClass === "gpu") return new Set(phase === "prefill" ? [...always, "pick"] : fusionNames);
  return new Set(phase === "prefill" ? always : [...always, "output_rows"]);
}

/** A graph after the passes that are asked for, and those that changed it. */
export function fuse(graph: Graph, options: LowerOptions): { readonly graph: Graph; readonly applied: readonly FusionName[] } {
  const wanted = options.fusion ?? defaultFusion(options.phase, options.target);
  const applied: FusionName[] = [];
  let fused = graph;
  for (const name of fusionNames) {
    if (!wanted.has(name)) continue;
    const next = passes[name].apply(fused, options);
    const changed = next.nodes.length !== fused.nodes.length || next.nodes.some((node, index) => node !== fused.nodes[index]);
    if (changed) applied.push(name);
    fused = next;
  }
  return { graph: fused, applied };
}
