// Who quantizes what products read, in the int8 class: the kernel that makes a value, where it can leave its rows as codes, else
// a call of `quantize`; once for each value. Knows kernels only by their attribute `quantized`.

import { type Quantized, quantizedSpecs } from "../kernels/codes.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { quantize } from "../kernels/quantize.ts";
import { type CallOperands, type KernelCall, kernelCall } from "./call.ts";
import { type Graph, readsOf, type Value } from "./ir.ts";
import type { LowerOptions, ValueSource } from "./lowering.ts";

/** What makes a value, but for its outputs. */
export interface Producer extends Omit<CallOperands, "outputs"> {
  readonly output: Value;
}

export interface Codes {
  /** The call that makes a value, which leaves it as codes where products read it and the kernel can. */
  produce<A extends { readonly quantized?: Quantized }>(kernel: Kernel<A>, attributes: A, producer: Producer): KernelCall;
  /** What a product reads of a value: itself, or codes and scales. Adds a call to `calls` where they are not made yet. */
  read(value: Value, calls: KernelCall[]): readonly Value[];
}

export function createCodes(graph: Graph, { target }: LowerOptions, values: ValueSource): Codes {
  const made = new Map<number, readonly Value[]>();
  const readers = readersOf(graph);
  const make = (value: Value): readonly Value[] => {
    const [codes, scales] = quantizedSpecs({ cols: value.cols, over: value.rows });
    const outputs = [values.make(`${value.name}_int8`, codes), values.make(`${value.name}_scales`, scales)];
    made.set(value.id, outputs);
    return outputs;
  };
  return {
    produce: (kernel, attributes, { output, ...operands }) => {
      const reads = readers.get(output.id) ?? [];
      if (target.precision === "int8" && reads.includes(true)) {
        const quantized = reads.includes(false) ? "also" : "only";
        const leaving = { ...attributes, quantized };
        if (kernel.variants(leaving, target).length > 0) {
          const outputs = [...(quantized === "also" ? [output] : []), ...make(output)];
          return kernelCall(kernel, leaving, { ...operands, outputs }, output.name);
        }
      }
      return kernelCall(kernel, attributes, { ...operands, outputs: [output] });
    },
    read: (value, calls) => {
      if (target.precision !== "int8") return [value];
      const found = made.get(value.id);
      if (found) return found;
      const outputs = make(value);
      calls.push(kernelCall(quantize, { cols: value.cols, over: value.rows }, { inputs: [value], outputs }));
      return outputs;
    },
  };
}

/** Of each value, what reads of it multiply it: they take codes. */
function readersOf({ nodes }: Graph): ReadonlyMap<number, readonly boolean[]> {
  const readers = new Map<number, boolean[]>();
  for (const { value, multiplied } of nodes.flatMap((node) => readsOf(node))) {
    readers.set(value.id, [...(readers.get(value.id) ?? []), multiplied]);
  }
  return readers;
}
