// A kernel call: one dispatch of a lowered graph, with the kernel's attribute type closed over so that lists of calls need
// no generics.

import { rowGroupSize } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import type { Kernel, KernelTarget, OutputSpec, Variant } from "../kernels/kernel.ts";
import type { Table, Value } from "./ir.ts";

/** A tensor of a stack, whole; each begins at a multiple of 8 rows after the one before it. */
export interface StackPart {
  /** Undefined where zeros stand for it: the bias that one of several products has not. */
  readonly tensor: string | undefined;
  readonly rows: number;
}

/** Whole rows of a matrix tensor, or of several whole ones that read the same input. */
export interface WeightRange {
  /** Of a stack the first one. */
  readonly tensor: string;
  readonly ggufType: number;
  readonly cols: number;
  readonly rowStart: number;
  /** Of a stack with the zero rows between and after its parts. */
  readonly rows: number;
  /** The parts of a stack in their order; `rowStart` is 0. */
  readonly stack?: readonly StackPart[];
}

/** A vector from element `start` (default 0, a multiple of 64 so that its bytes stay aligned) on, or several as one. */
export interface VectorRange {
  /** Of a stack the first that it has. */
  readonly tensor: string;
  /** Elements of the whole vector, of a stack with the zeros between its parts. */
  readonly length: number;
  readonly start?: number;
  /** The parts of a stack, where those of the weights begin. */
  readonly stack?: readonly StackPart[];
}

/** Where each part of a stack begins, and where the last one ends: multiples of 8, but for that end. */
export function stackStarts(parts: readonly { readonly rows: number }[]): { readonly starts: readonly number[]; readonly end: number } {
  const starts: number[] = [];
  let end = 0;
  for (const { rows } of parts) {
    starts.push(alignUp(end, rowGroupSize));
    end = alignUp(end, rowGroupSize) + rows;
  }
  return { starts, end };
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
    visit: (visitor) => visitor(kernel, attributes),
  };
}
