// Lowers `linear` nodes: splits over the binding limit, and slab groups for projections that read the same input.

import { assert } from "../base/errors.ts";
import { linear } from "../kernels/linear.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import type { Codes } from "./codes.ts";
import type { Node, Value } from "./ir.ts";
import { splitRows } from "./layout.ts";
import type { LowerOptions } from "./lowering.ts";

type LinearNode = Extract<Node, { op: "linear" }>;

/** A function that lowers one linear after another, remembering what earlier ones can share. */
export function createLinearLowering(options: LowerOptions, codes: Codes): (node: LinearNode) => KernelCall[] {
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
    const splits = splitRows({ format, rows: n, cols: k, maxBindingBytes: options.target.caps.maxBindingBytes });
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
        activations: options.target.precision === "int8" ? ("int8" as const) : ("float" as const),
      };
      const vectors = bias ? [{ tensor: bias.name, length: n, start: rowStart }] : [];
      calls.push(kernelCall(linear, attributes, { inputs, outputs: [output], weights: [range], vectors }));
    }
    return calls;
  };
}

function outType(output: Value): "act" | "f32" {
  assert(output.type !== "u32", "a linear makes numbers");
  return output.type;
}
