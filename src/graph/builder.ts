// The API that model files are written against: one method for each coarse operation, shapes inferred and checked, every
// value named. Shape errors here mean a file whose tensors disagree with its config, so they are typed MODEL errors.

import { assert, ShaderloomError } from "../base/errors.ts";
import type { Activation } from "../kernels/activation.ts";
import type { AttentionRules } from "../kernels/attention.ts";
import { onlineAttention } from "./cascade.ts";
import type { Graph, Node, Pairing, Table, Value, Weight } from "./ir.ts";

/** Looks up tensors by name without `.weight`; `fallback` serves tied tensors. */
export type Weights = ((name: string, fallback?: string) => Weight) & {
  /** The bias `name.bias`, when the file has one. */
  bias(name: string): Weight | undefined;
};

/** The weights of one layer: `layer("attn_q")` is `blk.<index>.attn_q.weight`. */
export type LayerWeights = Weights & { readonly index: number };

/** Shape and type of each tensor of a file; `weights/gguf` tensors fit. */
export type TensorTable = ReadonlyMap<string, { readonly name: string; readonly type: number; readonly shape: readonly number[] }>;

/** @throws {ShaderloomError} MODEL.tensor from the lookup, naming the tensor that is missing */
export function weightsOf(tensors: TensorTable, prefix = ""): Weights {
  const lookup = (name: string, fallback?: string): Weight => {
    const tensor = tensors.get(`${prefix}${name}.weight`) ?? (fallback === undefined ? undefined : tensors.get(`${fallback}.weight`));
    if (tensor) return tensor;
    throw new ShaderloomError(
      "MODEL.tensor",
      `The file has no tensor ${prefix}${name}.weight, which its architecture needs. Get a complete file.`,
      {
        detail: { tensor: `${prefix}${name}.weight` },
      },
    );
  };
  return Object.assign(lookup, { bias: (name: string) => tensors.get(`${prefix}${name}.bias`) });
}

/** The weights of each layer in order. */
export function eachLayer(tensors: TensorTable, numLayers: number): LayerWeights[] {
  return Array.from({ length: numLayers }, (_, index) => Object.assign(weightsOf(tensors, `blk.${index}.`), { index }));
}

/** What a model says of a layer's attention. */
export interface AttentionOptions {
  readonly layer: number;
  /** Default 1 / sqrt(headDim). */
  readonly scale?: number;
  readonly rules?: AttentionRules | undefined;
  /** Logits that take a share of each head's softmax, [heads]. */
  readonly sinks?: Weight;
}

/** Builds the graph of one forward pass over the rows of a step. */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  #values = 0;
  #headStart: number | undefined;
  #numLayers = 0;

  /** Rows of the token embedding: [rows, hidden]. */
  embed(weight: Weight): Value {
    const output = this.#value(shortName(weight), "rows", matrixShape(weight).cols);
    this.#nodes.push({ op: "embed", weight, output });
    return output;
  }

  /** y = x W^T + b. */
  linear(input: Value, weight: Weight, bias?: Weight): Value {
    const { rows: n, cols: k } = matrixShape(weight);
    if (k !== input.cols) throw shapeError(weight, `has ${k} inputs where ${input.name} has ${input.cols} columns`);
    if (bias) vectorLength(bias, n);
    const output = this.#value(shortName(weight), input.rows, n);
    this.#nodes.push({ op: "linear", input, weights: [{ weight, bias }], output });
    return output;
  }

  /** The same values seen as `heads` heads. */
  heads(value: Value, heads: number): Value {
    if (value.cols % heads !== 0) throw headsError(value, heads);
    return { ...value, heads };
  }

  /** Root-mean-square normalisation over each row, or over each head where the value has heads. */
  rmsNorm(input: Value, weight: Weight, eps: number): Value {
    const groups = input.heads ?? 1;
    vectorLength(weight, input.cols / groups);
    const output = {
      ...this.#value(shortName(weight), input.rows, input.cols),
      ...(input.heads === undefined ? {} : { heads: input.heads }),
    };
    this.#nodes.push({ op: "rms_norm", input, weight, groups, eps, output });
    return output;
  }

  /** Rotary position embedding of each head's first `rotaryDim` columns. */
  rope(input: Value, options: { table: Table; rotaryDim: number; pairing: Pairing }): Value {
    assert(input.heads !== undefined, "rope needs heads");
    const headDim = input.cols / input.heads;
    const output = { ...this.#value(`${input.name}_rope`, "rows", input.cols), heads: input.heads };
    this.#nodes.push({ op: "rope", input, headDim, output, ...options });
    return output;
  }

  /** Causal attention of the rows over their sequences' pages of `layer`, after storing k and v there. */
  attention(query: Value, key: Value, value: Value, options: AttentionOptions): Value {
    assert(query.heads !== undefined && key.heads !== undefined && value.cols === key.cols, "attention needs heads");
    const headDim = query.cols / query.heads;
    if (key.cols / key.heads !== headDim) throw headsError(key, key.heads);
    const output = this.#value(`blk.${options.layer}.attention`, "rows", query.cols);
    const shape = {
      numHeads: query.heads,
      numKvHeads: key.heads,
      headDim,
      scale: options.scale ?? 1 / Math.sqrt(headDim),
      cascade: onlineAttention,
    };
    const { layer, rules, sinks } = options;
    if (sinks) vectorLength(sinks, query.heads);
    const more = { ...(rules && { rules }), ...(sinks && { sinks }) };
    this.#nodes.push({ op: "attention", from: { query, key, value }, layer, ...shape, ...more, output });
    this.#numLayers = Math.max(this.#numLayers, options.layer + 1);
    return output;
  }

  /** activation(gate) * up. */
  glu(gate: Value, up: Value, activation: Activation): Value {
    assert(gate.cols === up.cols, "gate and up differ in width");
    const output = this.#value(`${gate.name}_glu`, gate.rows, gate.cols);
    this.#nodes.push({ op: "glu", gate, up, activation, output });
    return output;
  }

  add(left: Value, right: Value): Value {
    if (left.cols !== right.cols) {
      throw new ShaderloomError(
        "MODEL.shape",
        `${left.name} (${left.cols}) and ${right.name} (${right.cols}) cannot be added. The file is damaged or not of its stated architecture.`,
      );
    }
    const output = this.#value(`${right.name}_sum`, left.rows, left.cols);
    this.#nodes.push({ op: "add", left, right, output });
    return output;
  }

  /** The rows that need logits; everything after it is the head. */
  outputRows(input: Value): Value {
    assert(this.#headStart === undefined, "outputRows is called once");
    this.#headStart = this.#nodes.length;
    const output = this.#value("output_rows", "outputRows", input.cols);
    this.#nodes.push({ op: "output_rows", input, output });
    return output;
  }

  /** Ends the graph at its logits. */
  finish(logits: Value): Graph {
    const last = this.#nodes.at(-1);
    assert(last?.op === "linear" && last.output.id === logits.id && this.#headStart !== undefined, "a graph ends with the head's linear");
    const value: Value = { ...logits, name: "logits", type: "f32" };
    this.#nodes[this.#nodes.length - 1] = { ...last, output: value };
    return { nodes: this.#nodes, logits: value, headStart: this.#headStart, numLayers: this.#numLayers };
  }

  #value(name: string, rows: Value["rows"], cols: number): Value {
    return { id: this.#values++, name, rows, cols, type: "act" };
  }
}

/** `blk.3.attn_q.weight` -> `blk.3.attn_q`. */
function shortName(weight: Weight): string {
  return weight.name.replace(/\.weight$/, "");
}

function shapeError(weight: Weight, problem: string): ShaderloomError {
  return new ShaderloomError("MODEL.shape", `Tensor ${weight.name} ${problem}. The file is damaged or not of its stated architecture.`, {
    detail: { tensor: weight.name },
  });
}

function headsError(value: Value, heads: number): ShaderloomError {
  return new ShaderloomError(
    "MODEL.shape",
    `${value.name} has ${value.cols} columns, which are not ${heads} heads of the model's size. The file is damaged or not of its stated architecture.`,
    {
      detail: { tensor: value.name },
    },
  );
}

function matrixShape(weight: Weight): { rows: number; cols: number } {
  if (weight.shape.length !== 2) throw shapeError(weight, `has ${weight.shape.length} dimensions where a matrix is needed`);
  return { rows: weight.shape[0], cols: weight.shape[1] };
}

function vectorLength(weight: Weight, length: number): void {
  if (weight.shape.length !== 1 || weight.shape[0] !== length)
    throw shapeError(weight, `has shape [${weight.shape.join(", ")}] where [${length}] is needed`);
}
