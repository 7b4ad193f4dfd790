// Lowers `linear` nodes: splits over the binding limit, slab groups for projections that read the same input, and activation
// quantization, once for each distinct input, in the int8 class.

import { assert } from "../base/errors.ts";
import { linear } from "../kernels/linear.ts";
import { quantize, quantizedSpecs } from "../kernels/quantize.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import type { Node, Value } from "./ir.ts";
import { splitRows } from "./layout.ts";
import type { LowerOptions, ValueSource } from "./lowering.ts";

type LinearNode = Extract<Node, { op: "linear" }>;

/** A function that lowers one linear after another, remembering what earlier ones can share. */
export function createLinearLowering(options: LowerOptions, values: ValueSource): (node: LinearNode) => KernelCall[] {
  const quantized = new Map<number, readonly Value[]>();
  const groups = new Map<string, string>();
  return (node) => {
    const { input, weight, bias, output } = node;
    const format = options.formats.get(weight.type);
    assert(format, `no weight format ${weight.type}`);
    const [n, k] = weight.shape;
    const calls: KernelCall[] = [];
    let inputs: readonly Value[] = [input];
    if (options.target.precision === "int8") {
      inputs = quantized.get(input.id) ?? quantizeInput(input, values, calls);
      quantized.set(input.id, inputs);
    }
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

function quantizeInput(input: Value, values: ValueSource, calls: KernelCall[]): readonly Value[] {
  const attributes = { cols: input.cols, over: input.rows };
  const [packed, scales] = quantizedSpecs(attributes);
  const outputs = [values.make(`${input.name}_int8`, packed), values.make(`${input.name}_scales`, scales)];
  calls.push(kernelCall(quantize, attributes, { inputs: [input], outputs }));
  return outputs;
}
