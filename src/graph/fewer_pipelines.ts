// What programs with too many pipelines give up: tiers first; then products that differ in their shapes alone run one pipeline, which reads the
// shapes from a uniform; then passes. Only files of mixed types need it, so it is a chunk of its own, given all that it needs of the rest.

import type { LinearAttributes, SharedShape } from "../kernels/matrix.ts";
import type { KernelCall } from "./call.ts";
import { limitTiers, type LimitTools } from "./limit_tiers.ts";
import type { FusionName } from "./fuse/names.ts";
import type { LowerOptions } from "./lowering.ts";
import type { TieredProgram, TierLimits } from "./tiers.ts";

/** A pass of a program; `pairs` are gates inside products. */
type Sacrifice = `${LowerOptions["phase"]} ${FusionName | "pairs"}`;

/** What it is done with. */
export interface FewerTools<P extends TieredProgram> extends LimitTools {
  /** Whether the passes are somebody's choice. */
  readonly fixed: boolean;
  /** The programs without some passes, as `decode norm`. */
  readonly lowered: (without: ReadonlySet<string>) => readonly P[];
  readonly productOf: (call: KernelCall) => LinearAttributes | undefined;
  readonly share: (call: KernelCall, attributes: LinearAttributes, shared: SharedShape) => KernelCall;
}

/** Programs with limits that count. */
export interface Fewer<P> {
  readonly programs: readonly P[];
  readonly tiers: TierLimits;
  readonly pipelines: number;
}

/** Calls of one program that could share a pipeline. */
type Group = ReadonlyMap<KernelCall, LinearAttributes>;

/** What those that share have in common beside the type and what happens before and after the product. */
interface Likeness {
  /** Rows of one length: innermost loops keep their constants. */
  readonly inputs: boolean;
  /** A bias, or none. */
  readonly bias: boolean;
}

const likenesses: readonly Likeness[] = [
  { inputs: true, bias: true },
  { inputs: false, bias: true },
  { inputs: false, bias: false },
];

/**
 * Passes that are given up, each line in addition to those before it, what costs least first: a dispatch of a prompt's layers, one of a token,
 * then of a token's layers.
 */
const sacrifices: readonly (readonly Sacrifice[])[] = [
  ["prefill residual"],
  ["decode pick", "prefill pick"],
  ["decode pairs"],
  ["decode norm"],
  ["decode merge"],
  ["decode residual"],
];

/** A result with few enough pipelines, or one with fewest. */
export function fewerPipelines<P extends TieredProgram>(plain: readonly P[], tools: FewerTools<P>): Fewer<P> {
  // Passes change few shapes: what was found for all of them holds.
  const tiers = limitTiers(plain, tools);
  const without = (given: readonly (readonly Sacrifice[])[]): Fewer<P> =>
    withSharing(given.length === 0 ? plain : tools.lowered(new Set(given.flat())), tiers, tools);
  let given: readonly (readonly Sacrifice[])[] = [];
  let best = without(given);
  const furthest = tools.fixed ? 0 : sacrifices.length;
  for (let count = 1; count <= furthest && best.pipelines > tools.most; count++) {
    const next = without(sacrifices.slice(0, count));
    if (next.pipelines < best.pipelines) [best, given] = [next, sacrifices.slice(0, count)];
  }
  // Some brought nothing once others followed: taken back, what costs most first. The last one did.
  for (const sacrifice of given.slice(0, -1).toReversed()) {
    const fewer = given.filter((one) => one !== sacrifice);
    const next = without(fewer);
    if (next.pipelines <= Math.max(best.pipelines, tools.most)) [best, given] = [next, fewer];
  }
  return best;
}

/** Programs with as many products sharing as it takes: the most alike first, of those the ones with few weights. */
function withSharing<P extends TieredProgram>(given: readonly P[], tiers: TierLimits, tools: FewerTools<P>): Fewer<P> {
  let programs = given;
  for (const likeness of likenesses) {
    const groups = programs.flatMap(({ calls }, index) => groupsOf(calls, likeness, tools).map((group) => ({ group, index })));
    for (const { group, index } of groups.toSorted((a, b) => weightsOf(a.group) - weightsOf(b.group))) {
      if (tools.count(programs, tiers) <= tools.most) break;
      programs = programs.map((program, at) => (at === index ? { ...program, calls: shareGroup(program.calls, group, tools) } : program));
    }
  }
  return { programs, tiers, pipelines: tools.count(programs, tiers) };
}

/** Groups of the products of a program's body that have several shapes. */
function groupsOf(
  calls: readonly KernelCall[],
  likeness: Likeness,
  { productOf }: Pick<FewerTools<TieredProgram>, "productOf">,
): readonly Group[] {
  const found = new Map<string, Map<KernelCall, LinearAttributes>>();
  for (const call of calls) {
    const attributes = productOf(call);
    // The head is one of its kind.
    if (!attributes || attributes.over === "outputRows") continue;
    const kind = kindOf(attributes, likeness);
    const group = found.get(kind) ?? new Map<KernelCall, LinearAttributes>();
    found.set(kind, group.set(call, attributes));
  }
  return [...found.values()].filter((group) => new Set([...group.values()].map(shapeOf)).size > 1);
}

function weightsOf(group: Group): number {
  return [...group.values()].reduce((sum, { n, k }) => sum + n * k, 0);
}

/** All that a text says beside shapes. */
function kindOf(attributes: LinearAttributes, likeness: Likeness): string {
  const { format, k, bias, n: _n, outStart: _start, outCols: _cols, shared: _shared, pair, ...rest } = attributes;
  const alike = [likeness.inputs && k, likeness.bias && bias];
  return JSON.stringify([format.name, pair?.activation, alike, Object.entries(rest).toSorted(([a], [b]) => (a < b ? -1 : 1))]);
}

function shapeOf({ k, n, outStart, outCols, bias, pair }: LinearAttributes): string {
  return [k, n, outStart, outCols, bias, pair?.start].join();
}

function shareGroup(
  calls: readonly KernelCall[],
  group: Group,
  { share }: Pick<FewerTools<TieredProgram>, "share">,
): readonly KernelCall[] {
  const all = [...group.values()];
  // Lanes are laid out for the largest, which takes most of the time.
  const { n, k, bias } = all.reduce((most, one) => (one.n * one.k > most.n * most.k ? one : most));
  const shared: SharedShape = {
    n,
    ...(all.some((one) => one.k !== k) && { k }),
    ...(all.some((one) => one.bias !== bias) && { anyBias: true }),
  };
  return calls.map((call) => {
    const attributes = group.get(call);
    return attributes ? share(call, attributes, shared) : call;
  });
}
