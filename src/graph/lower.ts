// Turns nodes into kernel calls for one phase: prefill works on tiles of rows, decode on one row for each sequence and ends by
// choosing the next token. Splits what exceeds a binding.

import { assert } from "../base/errors.ts";
import { add } from "../kernels/add.ts";
import { advance } from "../kernels/advance.ts";
import { embed } from "../kernels/embed.ts";
import { gatherRows } from "../kernels/gather_rows.ts";
import { glu } from "../kernels/glu.ts";
import { pickBest } from "../kernels/pick_best.ts";
import { rmsNorm } from "../kernels/rms_norm.ts";
import { rope } from "../kernels/rope.ts";
import { samplePick } from "../kernels/sample_pick.ts";
import { sampleTiles } from "../kernels/sample_tiles.ts";
import type { OutputSpec } from "../kernels/kernel.ts";
import { topK } from "../kernels/top_k.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import { createCodes } from "./codes.ts";
import { fuse } from "./fuse/index.ts";
import type { FusionName } from "./fuse/names.ts";
import { nextIds } from "./fuse/pass.ts";
import type { Graph, Node, Value } from "./ir.ts";
import { splitRows } from "./layout.ts";
import { lowerAttention, type Lowering } from "./lower_attention.ts";
import { lowerLinear } from "./lower_linear.ts";
import type { LowerOptions, ValueSource } from "./lowering.ts";
import type { Section } from "./program.ts";

/**
 * A graph as kernel calls, cut into sections: `body`, `head` (logits), `sample`, `score`, and in decode `advance`. After the pass `pick` also
 * `best`, which does for greedy rows whose logits nothing changes what `sample` does for all.
 */
export interface Lowered {
  readonly calls: readonly KernelCall[];
  readonly sections: readonly Section[];
  readonly logits: Value;
  /** u32 [output rows, 4]: id, bits of its logit, flag, counter of the draw. */
  readonly chosen: Value;
  /** f32 [output rows, 2 * scoreTopK + 4]: ids, logits, max, logsumexp, flag. */
  readonly scores: Value;
  /** What the head reads; it must outlive the body. */
  readonly hidden: Value;
  /** Passes that changed something. */
  readonly fusion: readonly FusionName[];
}

export function lower(unfused: Graph, options: LowerOptions): Lowered {
  const { graph, applied } = fuse(unfused, options);
  const nextId = nextIds(graph);
  const values: ValueSource = { make: (name, like) => ({ id: nextId(), name, ...like }) };
  const codes = createCodes(graph, options, values);
  const calls: KernelCall[] = [];
  const sections: Section[] = [];
  const section = (name: string, add_: () => void): void => {
    const start = calls.length;
    add_();
    sections.push({ name, start, end: calls.length });
  };
  const emit = (node: Node): void => {
    calls.push(...lowerNode(node, { options, values, codes }));
  };
  section("body", () => graph.nodes.slice(0, graph.headStart).forEach(emit));
  section("head", () => graph.nodes.slice(graph.headStart).forEach(emit));
  const { logits } = graph;
  const { chosen, calls: choosing } = lowerSample(logits, values);
  const best = bestOfHead(graph);
  if (best)
    section("best", () => calls.push(kernelCall(pickBest, { cols: logits.cols }, { inputs: [logits, best], outputs: [chosen] }, "best")));
  section("sample", () => calls.push(...choosing));
  const k = options.scoreTopK;
  const scores = values.make("scores", { rows: "outputRows", cols: 2 * k + 4, type: "f32" });
  section("score", () => calls.push(kernelCall(topK, { cols: logits.cols, k }, { inputs: [logits], outputs: [scores] })));
  if (options.phase === "decode") {
    const rows = options.target.maxRows;
    section("advance", () => calls.push(kernelCall(advance, { rows }, { inputs: [chosen], outputs: [] }, "advance")));
  }
  return { calls, sections, logits, chosen, scores, hidden: hiddenOf(unfused), fusion: applied };
}

function lowerSample(logits: Value, values: ValueSource): { readonly chosen: Value; readonly calls: KernelCall[] } {
  const { cols } = logits;
  const made = (name: string, { rows, cols: width, type }: OutputSpec): Value => values.make(name, { rows, cols: width, type });
  const [candidates, tiles] = sampleTiles.outputs({ cols });
  const outputs = [made("candidates", candidates), made("tiles", tiles)];
  const [choice] = samplePick.outputs({ cols });
  const chosen = made("chosen", choice);
  return {
    chosen,
    calls: [
      kernelCall(sampleTiles, { cols }, { inputs: [logits], outputs }),
      kernelCall(samplePick, { cols }, { inputs: [logits, ...outputs], outputs: [chosen] }),
    ],
  };
}

/** What the head keeps of its logits. */
function bestOfHead({ nodes, logits }: Graph): Value | undefined {
  const head = nodes.find(({ output }) => output.id === logits.id);
  return head?.op === "linear" ? head.best : undefined;
}

function hiddenOf({ nodes, headStart }: Graph): Value {
  const first = nodes[headStart];
  assert(first.op === "output_rows", "the head starts at output_rows");
  return first.input;
}

function lowerNode(node: Node, lowering: Lowering): KernelCall[] {
  const { options, codes } = lowering;
  switch (node.op) {
    case "linear":
      return lowerLinear(node, options, codes);
    case "embed":
      return lowerEmbed(node, options);
    case "rms_norm": {
      const { groups, eps, weight, input, output } = node;
      const cols = input.cols / groups;
      const vectors = [{ tensor: weight.name, length: cols }];
      // In decode every row is an output row: the norms of layers and of the head are then one pipeline.
      const over = options.phase === "decode" ? "outputRows" : output.rows;
      const attributes = { cols, groups, eps, over } as const;
      if (groups > 1) return [kernelCall(rmsNorm, attributes, { inputs: [input], outputs: [output], vectors })];
      return [codes.produce(rmsNorm, attributes, { inputs: [input], output, vectors })];
    }
    case "rope": {
      const { headDim, rotaryDim, pairing, table } = node;
      const heads = node.input.cols / headDim;
      const maxPositions = options.kv.maxPages * options.kv.pageTokens;
      const attributes = { heads, headDim, rotaryDim, pairing, maxPositions };
      return [kernelCall(rope, attributes, { inputs: [node.input], outputs: [node.output], tables: [table] })];
    }
    case "attention":
      return lowerAttention(node, lowering);
    case "glu": {
      const { gate, up, activation, output } = node;
      return [codes.produce(glu, { cols: output.cols, activation }, { inputs: [gate, up], output })];
    }
    case "stacked_glu": {
      const { input, upStart, activation, output } = node;
      return [codes.produce(glu, { cols: output.cols, activation, stacked: { upStart } }, { inputs: [input], output })];
    }
    case "add":
      return [kernelCall(add, { cols: node.output.cols }, { inputs: [node.left, node.right], outputs: [node.output] })];
    case "output_rows":
      return [codes.produce(gatherRows, { cols: node.output.cols }, { inputs: [node.input], output: node.output })];
  }
}

function lowerEmbed(node: Extract<Node, { op: "embed" }>, options: LowerOptions): KernelCall[] {
  const { weight, output } = node;
  const format = options.formats.get(weight.type);
  assert(format, `no weight format ${weight.type}`);
  const [rows, cols] = weight.shape;
  return splitRows({ format, rows, cols, maxBindingBytes: options.target.caps.maxBindingBytes }).map(([rowStart, rowEnd]) => {
    const rowCount = rowEnd - rowStart;
    const range = { tensor: weight.name, ggufType: weight.type, cols, rowStart, rows: rowCount };
    return kernelCall(embed, { format, cols, rowStart, rowCount }, { inputs: [], outputs: [output], weights: [range] });
  });
}
