// The projections of queries, keys and values as one stack of weights. What follows them (norms of heads, rotary embedding, storing keys and
// values) moves into the attention node, where it is one kernel, or none.

import { heads } from "../../kernels/heads.ts";
import { stackStarts } from "../call.ts";
import type { AttentionNode, Graph, LinearNode, Node, RmsNormNode, Rotary, StackedHeads, Value } from "../ir.ts";
import { headsAttributes } from "../lower_attention.ts";
import type { LowerOptions } from "../lowering.ts";
import { hasKernels, stackedCols } from "../products.ts";
import { nextIds, type Pass, plainLinear, type Reads, readsIn, replaceNodes } from "./pass.ts";

/** Projected heads on their way to attention. */
interface Chain {
  readonly linear: LinearNode;
  readonly norm: RmsNormNode | undefined;
  readonly rotary: Rotary | undefined;
  /** All but the product. */
  readonly nodes: readonly Node[];
}

/** Product, maybe a norm of each head, maybe a rotation: each read by the next alone. */
function chainOf(value: Value, attention: AttentionNode, reads: Reads): Chain | undefined {
  const nodes: Node[] = [];
  let [reader, at]: [Node, Value] = [attention, value];
  let rotary: Rotary | undefined;
  let norm: RmsNormNode | undefined;
  const maker = reads.maker(at);
  if (maker.op === "rope" && reads.onlyReader(at) === reader) {
    rotary = maker;
    nodes.push(maker);
    [reader, at] = [maker, maker.input];
  }
  const before = reads.maker(at);
  if (before.op === "rms_norm" && reads.onlyReader(at) === reader && before.weight.shape[0] === attention.headDim) {
    norm = before;
    nodes.push(before);
    [reader, at] = [before, before.input];
  }
  const linear = plainLinear(at, reader, reads);
  return linear && { linear, norm, rotary, nodes };
}

function sameRotary(a: Rotary | undefined, b: Rotary | undefined): a is Rotary {
  return a !== undefined && b !== undefined && a.table === b.table && a.rotaryDim === b.rotaryDim && a.pairing === b.pairing;
}

interface Stacked {
  readonly linear: LinearNode;
  readonly attention: AttentionNode;
  readonly chains: readonly Chain[];
}

function stack(
  attention: AttentionNode,
  id: () => number,
  { reads, options }: { reads: Reads; options: LowerOptions },
): Stacked | undefined {
  const { from, layer } = attention;
  if (!("query" in from)) return undefined;
  const [query, key, value] = [from.query, from.key, from.value].map((one) => chainOf(one, attention, reads));
  if (!query || !key || !value || value.norm || value.rotary || !sameRotary(query.rotary, key.rotary)) return undefined;
  const chains = [query, key, value];
  const { input } = query.linear;
  if (chains.some(({ linear }) => linear.input.id !== input.id)) return undefined;
  const weights = chains.flatMap(({ linear }) => linear.weights);
  const { starts } = stackStarts(weights.map(({ weight }) => ({ rows: weight.shape[0] })));
  const output: Value = { ...query.linear.output, id: id(), name: `blk.${layer}.attn_qkv`, cols: stackedCols(weights) };
  const linear: LinearNode = { op: "linear", input, weights, output };
  const { table, rotaryDim, pairing } = query.rotary;
  const stacked: StackedHeads = {
    input: output,
    keyStart: starts[1],
    valueStart: starts[2],
    queryNorm: query.norm,
    keyNorm: key.norm,
    rotary: { table, rotaryDim, pairing },
    prologue: false,
  };
  const ready = heads.variants(headsAttributes(attention, stacked, options), options.target).length > 0;
  return ready && hasKernels(linear, options) ? { linear, attention: { ...attention, from: stacked }, chains } : undefined;
}

export const qkv: Pass = {
  name: "qkv",
  apply(graph: Graph, options: LowerOptions) {
    const reads = readsIn(graph);
    const id = nextIds(graph);
    const replaced = new Map<Node, readonly Node[]>();
    for (const node of graph.nodes) {
      if (node.op !== "attention") continue;
      const found = stack(node, id, { reads, options });
      if (!found) continue;
      // The first of the three stands where its input is made already.
      const first = graph.nodes.find((one) => found.chains.some(({ linear }) => linear === one));
      for (const { linear, nodes } of found.chains) {
        for (const gone of nodes) replaced.set(gone, []);
        replaced.set(linear, linear === first ? [found.linear] : []);
      }
      replaced.set(node, [found.attention]);
    }
    return replaceNodes(graph, replaced);
  },
};
