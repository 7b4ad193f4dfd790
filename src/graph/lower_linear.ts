// Lowers `linear` nodes: splits over the binding limit, sums over parts of K side by side where a product has few rows, and slab
// groups for projections that read the same input.

import { assert } from "../base/errors.ts";
import type { WeightFormat } from "../formats/format.ts";
import { linear } from "../kernels/linear.ts";
import { linearMerge, type LinearMergeAttributes } from "../kernels/linear_merge.ts";
import { chooseLinearSplits, linearSplit } from "../kernels/linear_split.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import type { Codes } from "./codes.ts";
import type { Node, Value } from "./ir.ts";
import { splitRows } from "./layout.ts";
import type { LowerOptions, ValueSource } from "./lowering.ts";

type LinearNode = Extract<Node, { op: "linear" }>;

/** A function that lowers one linear after another, remembering what earlier ones can share. */
export function createLinearLowering(options: LowerOptions, values: ValueSource, codes: Codes): (node: LinearNode) => KernelCall[] {
  const groups = new Map<string, string>();
  return (node) => {
    const { input, weight, bias, output } = node;
    const format = options.formats.get(weight.type);
    assert(format, `no weight format ${weight.type}`);
    const [n, k] = weight.shape;
    const calls: KernelCall[] = [];
    const inputs = codes.read(input, calls);
    const groupKey = `${input.id}:${format.name}`;
    const group = groups.get(groupKey) ?? weight.name;
    groups.set(groupKey, group);
    const activations = options.target.precision === "int8" ? ("int8" as const) : ("float" as const);
    const splits = splitRows({ format, rows: n, cols: k, maxBindingBytes: options.target.caps.maxBindingBytes });
    if (splits.length === 1 && options.phase === "decode" && output.type === "act") {
      const parts = chooseLinearSplits({ n, k }, options.target);
      if (parts > 1) return [...calls, ...lowerParts(node, { format, parts, activations, inputs, group }, { values, codes })];
    }
    for (const [rowStart, rowEnd] of splits) {
      const rows = rowEnd - rowStart;
      const range = {
        tensor: weight.name,
        ggufType: weight.type,
        cols: k,
        rowStart,
        rows,
        // A split tensor shares nothing: each of its ranges fills a binding.
        group: splits.length > 1 ? `${weight.name}@${rowStart}` : group,
      };
      const attributes = {
        format,
        k,
        n: rows,
        bias: bias !== undefined,
        outStart: rowStart,
        outCols: n,
        over: input.rows,
        out: outType(output),
        activations,
      };
      const vectors = bias ? [{ tensor: bias.name, length: n, start: rowStart }] : [];
      calls.push(kernelCall(linear, attributes, { inputs, outputs: [output], weights: [range], vectors }));
    }
    return calls;
  };
}

interface Parts {
  readonly format: WeightFormat;
  /** Of K. */
  readonly parts: number;
  readonly activations: "float" | "int8";
  readonly inputs: readonly Value[];
  readonly group: string;
}

/** A product whose parts of K are summed side by side, and their sum. */
function lowerParts(
  { weight, bias, output }: LinearNode,
  product: Parts,
  { values, codes }: { values: ValueSource; codes: Codes },
): KernelCall[] {
  const { format, parts, activations, inputs, group } = product;
  const [n, k] = weight.shape;
  const over = output.rows;
  const range = { tensor: weight.name, ggufType: weight.type, cols: k, rowStart: 0, rows: n, group };
  const partials = values.make(`${output.name}_partials`, { rows: over, cols: parts * n, type: "f32" });
  const merge: LinearMergeAttributes = { cols: n, splits: parts, bias: bias !== undefined, over };
  const vectors = bias ? [{ tensor: bias.name, length: n }] : [];
  return [
    kernelCall(linearSplit, { format, k, n, splits: parts, over, activations }, { inputs, outputs: [partials], weights: [range] }),
    codes.produce(linearMerge, merge, { inputs: [partials], output, vectors }),
  ];
}

function outType(output: Value): "act" | "f32" {
  assert(output.type !== "u32", "a linear makes numbers");
  return output.type;
}
