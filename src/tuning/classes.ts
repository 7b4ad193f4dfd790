// Which distinct pipelines a model needs: calls that differ only in their tensors are one class, and a class runs one variant. Pure
// bookkeeping over the lowered programs; checks, races and records go by these classes.

import type { KernelCall } from "../graph/call.ts";
import { type ProgramOptions, programRequest } from "../graph/program.ts";
import { callTargets, productAttributes, rowsOver } from "../graph/tiers.ts";
import type { ShaderRequest } from "../gpu/shader.ts";
import type { KernelTarget, KernelWork, StepShape, Variant } from "../kernels/kernel.ts";
import type { LinearAttributes } from "../kernels/matrix.ts";

/** Calls of one program that run the same pipeline. */
export interface KernelClass {
  /** `prefill linear bias=false format=q4_0 k=2048 ... rows<=32`: everything that a pipeline is made for. */
  readonly key: string;
  readonly kernel: string;
  readonly target: KernelTarget;
  /** Rows that the program's step state has room for. */
  readonly stepRows: number;
  /** In the order of the program; at least one. */
  readonly calls: readonly KernelCall[];
  /** The default first. */
  readonly variants: readonly Variant[];
}

/** The classes of some programs, in the order of their first calls. */
export function collectClasses(
  programs: readonly Pick<ProgramOptions, "label" | "calls" | "target" | "tiers" | "stepRows" | "maxOutputRows">[],
): KernelClass[] {
  const classes = new Map<string, KernelClass & { readonly calls: KernelCall[] }>();
  for (const program of programs) {
    for (const call of program.calls) {
      for (const target of callTargets(call, program)) {
        const key = classKey(call, target, program.label);
        const found = classes.get(key);
        if (found) found.calls.push(call);
        else {
          const variants = call.variants(target);
          classes.set(key, { key, kernel: call.kernel, target, stepRows: program.stepRows, calls: [call], variants });
        }
      }
    }
  }
  return [...classes.values()];
}

/** Names a call's class in a program of this label. */
export function classKey(call: KernelCall, target: KernelTarget, label: string): string {
  const attributes = call.visit((_kernel, given) => describe(given));
  return `${label} ${call.kernel} ${attributes} rows<=${target.maxRows}`;
}

/** Attributes as text: formats by their name, everything else as it is. */
function describe(attributes: unknown): string {
  if (typeof attributes !== "object" || attributes === null) return String(attributes);
  const entries = Object.entries(attributes).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.map(([name, value]) => `${name}=${describeValue(value)}`).join(" ");
}

function describeValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if ("dequantize" in value && "name" in value) return String(value.name);
  return `(${describe(value)})`;
}

/** Whether a class multiplies with a weight matrix: those are checked in the model's weights, and race. */
export function isProduct({ kernel }: Pick<KernelClass, "kernel">): boolean {
  return kernel === "linear";
}

/** The attributes of a class of products; undefined for other classes. */
export function productOf({ calls }: Pick<KernelClass, "calls">): LinearAttributes | undefined {
  return productAttributes(calls[0]);
}

/** What a class's pipeline is asked for with. */
export function requestOf({ stepRows }: Pick<KernelClass, "stepRows">, variant: Variant): ShaderRequest {
  return programRequest(variant, stepRows);
}

/** A step of `count` of the rows that the class goes over. */
export function shapeOf({ calls }: Pick<KernelClass, "calls">, count: number): StepShape {
  const outputs = rowsOver(calls[0]) === "outputRows";
  return { rows: count, outputRows: outputs ? count : 1, contextTokens: count };
}

/** What one dispatch of the class needs at the least, over as many rows as it may have. */
export function workOf({ calls, target }: Pick<KernelClass, "calls" | "target">): KernelWork {
  const shape = shapeOf({ calls }, target.maxRows);
  return calls[0].visit((kernel, attributes) => kernel.work(attributes, shape));
}
