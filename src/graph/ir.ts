// The graph of one forward pass: values and nodes as plain data. Models write it through `builder`; `lower` turns nodes into
// kernel calls. Nothing here knows a buffer.

/** A tensor that flows between nodes: `[rows or output rows, cols]`. `name` is what a mismatch is reported by. */
export interface Value {
  readonly id: number;
  readonly name: string;
  /** Whether there is a row for each activation row, or only for the rows the head runs over. */
  readonly rows: "rows" | "outputRows";
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

export type Node =
  | { readonly op: "embed"; readonly weight: Weight; readonly output: Value }
  | { readonly op: "linear"; readonly input: Value; readonly weight: Weight; readonly bias: Weight | undefined; readonly output: Value }
  | {
      readonly op: "rms_norm";
      readonly input: Value;
      readonly weight: Weight;
      readonly groups: number;
      readonly eps: number;
      readonly output: Value;
    }
  | {
      readonly op: "rope";
      readonly input: Value;
      readonly table: Table;
      readonly headDim: number;
      readonly rotaryDim: number;
      readonly pairing: Pairing;
      readonly output: Value;
    }
  | {
      readonly op: "attention";
      readonly query: Value;
      readonly key: Value;
      readonly value: Value;
      readonly layer: number;
      readonly numHeads: number;
      readonly numKvHeads: number;
      readonly headDim: number;
      readonly scale: number;
      readonly output: Value;
    }
  | { readonly op: "glu"; readonly gate: Value; readonly up: Value; readonly activation: "silu" | "gelu"; readonly output: Value }
  | { readonly op: "add"; readonly left: Value; readonly right: Value; readonly output: Value }
  | { readonly op: "output_rows"; readonly input: Value; readonly output: Value };

/** One forward pass, nodes in execution order. */
export interface Graph {
  readonly nodes: readonly Node[];
  /** Logits of the output rows, f32. */
  readonly logits: Value;
  /** Index of the first node of the head: everything from `output_rows` on. */
  readonly headStart: number;
  readonly numLayers: number;
}
