// A kernel call: one dispatch of a lowered graph, with the kernel's attribute type closed over so that lists of calls need
// no generics.

import type { CpuArgs, CpuTensor, Kernel, KernelTarget, OutputSpec, Variant } from "../kernels/kernel.ts";
import type { Table, Value } from "./ir.ts";

/** Whole rows of a matrix tensor. */
export interface WeightRange {
  readonly tensor: string;
  readonly ggufType: number;
  readonly cols: number;
  readonly rowStart: number;
  readonly rows: number;
  /** Tensors with an equal group lie in one slab; undefined: a slab of its own. */
  readonly group: string;
}

/** A vector from element `start` (default 0, a multiple of 64 so that its bytes stay aligned) on. */
export interface VectorRange {
  readonly tensor: string;
  /** Elements of the whole vector. */
  readonly length: number;
  readonly start?: number;
}

export interface CallOperands {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly weights?: readonly WeightRange[];
  /** f32 vectors of the file. */
  readonly vectors?: readonly VectorRange[];
  readonly tables?: readonly Table[];
  /** Layer whose KV pages are bound. */
  readonly layer?: number;
}

export interface KernelCall extends Required<Omit<CallOperands, "layer">> {
  readonly kernel: string;
  /** Name of the first output, or of what the call does. */
  readonly name: string;
  readonly layer: number | undefined;
  readonly outputSpecs: readonly OutputSpec[];
  variants(target: KernelTarget): readonly Variant[];
  reference(args: CpuArgs): readonly CpuTensor[];
  /** Hands kernel and attributes, their type intact, to a visitor. */
  visit<R>(visitor: <A>(kernel: Kernel<A>, attributes: A) => R): R;
}

export function kernelCall<A>(kernel: Kernel<A>, attributes: A, operands: CallOperands, name?: string): KernelCall {
  return {
    kernel: kernel.name,
    name: name ?? operands.outputs[0]?.name ?? kernel.name,
    inputs: operands.inputs,
    outputs: operands.outputs,
    weights: operands.weights ?? [],
    vectors: operands.vectors ?? [],
    tables: operands.tables ?? [],
    layer: operands.layer,
    outputSpecs: kernel.outputs(attributes),
    variants: (target) => kernel.variants(attributes, target),
    reference: (args) => kernel.reference(attributes, args),
    visit: (visitor) => visitor(kernel, attributes),
  };
}
