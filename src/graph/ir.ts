// The graph of one forward pass: values and nodes as plain data. Models write it through `builder`; `lower` turns nodes into
// kernel calls. Nothing here knows a buffer.

import type { Activation } from "../kernels/activation.ts";
import type { AttentionRules } from "../kernels/attention.ts";
import type { Cascade } from "./cascade.ts";
import type { RangesAttributes } from "../kernels/matrix.ts";

export type { Activation, AttentionRules };

/** A tensor that flows between nodes: `[rows or output rows, cols]`. `name` is what a mismatch is reported by. */
export interface Value {
  readonly id: number;
  readonly name: string;
  /** Whether there is a row for each activation row, or only for the rows the head runs over. */
  readonly rows: "rows" | "outputRows";
  /** Rows more than those of the step. */
  readonly extraRows?: number;
  readonly cols: number;
  /** `act`: the activation type of the precision class; logits and partial sums are always f32, ids u32. */
  readonly type: "act" | "f32" | "u32";
  /** Set where the columns are heads: `cols = heads * headDim`. */
  readonly heads?: number;
}

/** A tensor of the file. */
export interface Weight {
  /** GGUF name, `blk.3.attn_q.weight`. */
  readonly name: string;
  /** GGML type id. */
  readonly type: number;
  /** [rows, cols], or [cols] for a vector. */
  readonly shape: readonly number[];
}

/** A constant computed at load, such as RoPE cosines; the engine uploads it by name. */
export interface Table {
  readonly name: string;
  readonly data: Float32Array<ArrayBuffer>;
}

export type Pairing = "half" | "interleaved";

/** A matrix and the bias of its product. */
export interface LinearWeight {
  readonly weight: Weight;
  readonly bias: Weight | undefined;
}

/** y = x W^T + b. What the builder makes has one weight and nothing else: the rest comes from passes (fuse/). */
export interface LinearNode {
  readonly op: "linear";
  readonly input: Value;
  /** Each one's columns begin at a multiple of 8 after those of the one before (`stackStarts`). */
  readonly weights: readonly LinearWeight[];
  /** RMS norm of the rows of the input. */
  readonly norm?: { readonly weight: Weight; readonly eps: number };
  /** The input holds ranges that attention left unjoined. */
  readonly merge?: RangesAttributes;
  /** Added to the product. */
  readonly residual?: Value;
  /** y = activation(first weight's product) * second weight's product. */
  readonly pair?: Activation;
  /** Where the largest of every eight columns goes. */
  readonly best?: Value;
  readonly output: Value;
}

export interface RmsNormNode {
  readonly op: "rms_norm";
  readonly input: Value;
  readonly weight: Weight;
  readonly groups: number;
  readonly eps: number;
  readonly output: Value;
}

/** How the heads of a model turn with their position. */
export interface Rotary {
  readonly table: Table;
  readonly rotaryDim: number;
  readonly pairing: Pairing;
}

export interface RopeNode extends Rotary {
  readonly op: "rope";
  readonly input: Value;
  readonly headDim: number;
  readonly output: Value;
}

/** Queries, keys and values as projected, in one value: queries from column 0 on. */
export interface StackedHeads {
  readonly input: Value;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly queryNorm: { readonly weight: Weight; readonly eps: number } | undefined;
  readonly keyNorm: { readonly weight: Weight; readonly eps: number } | undefined;
  readonly rotary: Rotary;
  /** Whether attention itself norms, turns and stores them, instead of a kernel before it. */
  readonly prologue: boolean;
}

/** Queries, keys and values, normed and turned. */
export interface ReadyHeads {
  readonly query: Value;
  readonly key: Value;
  readonly value: Value;
}

/** Causal attention of the rows over their sequences' pages, after keys and values were stored there. */
export interface AttentionNode {
  readonly op: "attention";
  readonly from: ReadyHeads | StackedHeads;
  readonly layer: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headDim: number;
  readonly scale: number;
  /** What it computes, step by step: lowering takes one pass over keys and values. */
  readonly cascade: Cascade;
  /** What it is beyond causal attention with scaled products. */
  readonly rules?: AttentionRules;
  /** Logits that take a share of each head's softmax, [numHeads]. */
  readonly sinks?: Weight;
  /**
   * Words [kv heads, headDim]: the channel of queries and keys that comes to each place before keys are stored and queries meet them, which
   * changes no product. For keys that share exponents in groups.
   */
  readonly channelOrder?: Table;
  /** Ranges of the past stay as they are, for a product that joins them: then `output` holds those. */
  readonly unjoined?: RangesAttributes;
  readonly output: Value;
}

export type Node =
  | LinearNode
  | RmsNormNode
  | RopeNode
  | AttentionNode
  | { readonly op: "embed"; readonly weight: Weight; readonly output: Value }
  | { readonly op: "glu"; readonly gate: Value; readonly up: Value; readonly activation: Activation; readonly output: Value }
  /** `glu` of one value: gate from column 0 on, up from `upStart` on. */
  | { readonly op: "stacked_glu"; readonly input: Value; readonly upStart: number; readonly activation: Activation; readonly output: Value }
  | { readonly op: "add"; readonly left: Value; readonly right: Value; readonly output: Value }
  | { readonly op: "output_rows"; readonly input: Value; readonly output: Value };

/** A value that a node reads; products may read what they multiply as codes. */
export interface Read {
  readonly value: Value;
  readonly multiplied: boolean;
}

function plain(...values: readonly Value[]): Read[] {
  return values.map((value) => ({ value, multiplied: false }));
}

/** What a node reads. */
export function readsOf(node: Node): readonly Read[] {
  switch (node.op) {
    case "embed":
      return [];
    case "linear":
      return [{ value: node.input, multiplied: true }, ...plain(...(node.residual ? [node.residual] : []))];
    case "glu":
      return plain(node.gate, node.up);
    case "add":
      return plain(node.left, node.right);
    case "attention":
      return "query" in node.from ? plain(node.from.query, node.from.key, node.from.value) : plain(node.from.input);
    default:
      return plain(node.input);
  }
}

/** One forward pass, nodes in execution order. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** Logits of the output rows, f32. */
  readonly logits: Value;
  /** Index of the first node of the head: everything from `output_rows`, or what takes its place, on. */
  readonly headStart: number;
  readonly numLayers: number;
}
