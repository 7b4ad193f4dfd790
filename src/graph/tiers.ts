// For which numbers of rows products are compiled (decision 24), and how many pipelines programs have: where a file mixes types every product
// and tier is one more. fewer_pipelines.ts decides what is given up then.

import { rowTiers } from "../kernels/product_order.ts";
import type { KernelTarget, Variant } from "../kernels/kernel.ts";
import type { LinearAttributes } from "../kernels/matrix.ts";
import type { KernelCall } from "./call.ts";

/** Products that have fewer tiers than they could, by `shapeOf`: without the one that costs least to miss, or without any but the last. */
export type TierLimits = ReadonlyMap<string, "fewer" | "one">;

/** A program as far as its tiers go. */
export interface TieredProgram {
  readonly calls: readonly KernelCall[];
  readonly target: KernelTarget;
  readonly maxOutputRows: number;
}

/** Rows that a call's grids and tiers are about. */
export function rowsOver({ inputs, outputs }: KernelCall): "rows" | "outputRows" {
  return (outputs[0] ?? inputs[0])?.rows ?? "rows";
}

/** Attributes of a product; undefined for other calls. */
export function productAttributes(call: KernelCall): LinearAttributes | undefined {
  return call.visit((_kernel, attributes) => (isLinear(attributes) ? attributes : undefined));
}

function isLinear<A>(attributes: A): attributes is A & LinearAttributes {
  return typeof attributes === "object" && attributes !== null && "outStart" in attributes;
}

/** The targets that a call of a program is compiled for, fewest rows first. */
export function callTargets(
  call: KernelCall,
  program: Pick<TieredProgram, "target" | "maxOutputRows"> & { readonly tiers?: TierLimits | undefined },
): KernelTarget[] {
  const over = rowsOver(call);
  const target = { ...program.target, maxRows: over === "outputRows" ? program.maxOutputRows : program.target.maxRows };
  // GPU programs on CPU drivers are for tests: a pipeline takes seconds to compile there.
  const tiered = call.kernel === "linear" && (over === "outputRows" || !target.caps.software || target.deviceClass === "cpu");
  if (!tiered) return [target];
  const all = rowTiers(target);
  const limit = program.tiers?.get(shapeOf(call));
  // The head mostly has one row; a prompt's last rows are any number.
  const kept =
    limit === undefined ? all : limit === "one" ? all.slice(-1) : over === "outputRows" ? [all[0], ...all.slice(-1)] : all.slice(-2);
  return [...new Set(kept)].map((maxRows) => ({ ...target, maxRows }));
}

/** Products of one shape and type have the same tiers. */
function shapeOf(call: KernelCall): string {
  const [{ ggufType, rows, cols }] = call.weights;
  return `${ggufType} ${rows}x${cols} ${rowsOver(call)}`;
}

/** By what a call's tiers are limited; undefined for one that has a single tier anyway. */
export function tieredShape(call: KernelCall, program: TieredProgram): string | undefined {
  return callTargets(call, program).length > 1 ? shapeOf(call) : undefined;
}

/** What calls run, so that it need not be found out twice for programs that have most calls in common. */
export interface KnownTexts {
  readonly keys: Map<KernelCall, string>;
  /** Of the calls with a key: what each tier runs, as text that is equal when pipelines are. */
  readonly texts: Map<string, ReadonlyMap<number, string>>;
}

/** Pipelines of programs, when all products run their defaults. */
export function countPipelines(programs: readonly TieredProgram[], limits: TierLimits, known: KnownTexts): number {
  const found = programs.flatMap((program) => {
    const first = new Map(program.calls.map((call) => [keyOf(call, program, known), call]));
    return [...first].flatMap(([key, call]) => {
      const texts = known.texts.get(key) ?? textsOf(call, program);
      known.texts.set(key, texts);
      return callTargets(call, { ...program, tiers: limits }).map(({ maxRows }) => texts.get(maxRows));
    });
  });
  return new Set(found).size;
}

/** Calls of one key run the same pipelines. */
function keyOf(call: KernelCall, { target }: TieredProgram, { keys }: KnownTexts): string {
  const known = keys.get(call);
  if (known !== undefined) return known;
  const attributes = call.visit((_kernel, given) => JSON.stringify(given, formatName));
  const key = `${target.maxRows} ${rowsOver(call)} ${call.kernel} ${attributes}`;
  keys.set(call, key);
  return key;
}

function textsOf(call: KernelCall, program: TieredProgram): ReadonlyMap<number, string> {
  return new Map(callTargets(call, program).map((target) => [target.maxRows, identityOf(call.variants(target)[0])] as const));
}

function identityOf(variant: Variant | undefined): string {
  if (!variant) return "none";
  const { header, bindings, files, usesStep } = variant;
  const names = files.map((file) => (typeof file === "string" ? file : file.name));
  return JSON.stringify([header, bindings.map(({ name, type, access }) => [name, type, access]), names, usesStep]);
}

/** Stands in for a format in JSON. */
export function formatName(_key: string, value: unknown): unknown {
  return typeof value === "object" && value !== null && "dequantize" in value && "name" in value ? value.name : value;
}
