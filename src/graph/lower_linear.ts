// Lowers `linear` nodes: a call for each product that products.ts cuts them into, on codes in the int8 class.

import { assert } from "../base/errors.ts";
import { linear } from "../kernels/linear.ts";
import { kernelCall, type KernelCall } from "./call.ts";
import type { Codes } from "./codes.ts";
import type { LinearNode } from "./ir.ts";
import type { LowerOptions } from "./lowering.ts";
import { productsOf } from "./products.ts";

export function lowerLinear(node: LinearNode, options: LowerOptions, codes: Codes): KernelCall[] {
  const { input, residual, best, output } = node;
  const calls: KernelCall[] = [];
  const inputs = [...codes.read(input, calls), ...(residual ? [residual] : [])];
  const outputs = [output, ...(best ? [best] : [])];
  const products = productsOf(node, options);
  assert(products.length > 0, `${output.name} is a stack that no product computes`);
  for (const { attributes, range, vectors } of products) {
    calls.push(kernelCall(linear, attributes, { inputs, outputs, weights: [range], vectors }));
  }
  return calls;
}
