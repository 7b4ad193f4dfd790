// Seeded operands of a kernel's cases: for its reference as CPU tensors, for the GPU as bytes in the layouts of base/layout.ts.
// What a kernel must not read or must overwrite is filled with `garbage`. Tests make all of a case, checks on a user's adapter as
// little of it as shows a mistake.

import { f32ToF16, f16ToF32 } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import { isKvPageType } from "../base/kv_types.ts";
import { type KvLayout, rowStride, stepBytes, stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { type Rng, seededRng } from "../base/rng.ts";
import { fileBytes, packMatrix } from "../formats/format.ts";
import {
  type CpuArgs,
  type CpuKv,
  type CpuTensor,
  type InputSpec,
  type Kernel,
  type KernelCase,
  type KernelTarget,
  operandStride,
  type OperandSpecs,
  type StepRow,
} from "../kernels/kernel.ts";
import { referenceOf } from "../kernels/references/index.ts";
import { makeSampling } from "../kernels/references/sample_slots.ts";
import { makeKv, makePages, type Pages } from "./kv_operands.ts";
import { makePageKv } from "./kv_page_operands.ts";

export { garbage, unpackKv } from "./kv_operands.ts";

/** How much of a case is made. */
export interface Limits {
  readonly rng: Rng;
  /** Tokens of the rows are below this. */
  readonly tokenCount?: number | undefined;
  /** Positions of each sequence that have keys and values; default as many as the layout has. */
  readonly kvTokens?: number;
  /** Most elements of a table; default all. */
  readonly tableLength?: number;
}

export interface Operands {
  readonly args: CpuArgs;
  /** GPU bytes by operand name; outputs are not among them. */
  readonly bytes: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  /** The step state, a uniform or storage buffer. */
  readonly step: Uint8Array<ArrayBuffer>;
  readonly pages: Pages | undefined;
  /** Whether the kernel repairs pages: `OperandSpecs.repairs`. */
  readonly repairs?: true;
  readonly contextTokens: number;
}

const slots = 2;

/** Element type of a spec under a precision. */
export function elementType(type: InputSpec["type"], target: KernelTarget): "f32" | "f16" | "u32" {
  if (type === "act") return target.precision === "f16" ? "f16" : "f32";
  return type;
}

/** Rows `stride` elements apart as GPU bytes; what lies between `cols` and `stride` is zero. */
export function packRows(tensor: CpuTensor, stride: number, type: "f32" | "f16" | "u32"): Uint8Array<ArrayBuffer> {
  const { rows, cols, data } = tensor;
  const words = type === "f16" ? new Uint16Array(rows * stride) : new Float32Array(rows * stride);
  for (let row = 0; row < rows; row++) {
    if (type !== "f16") words.set(data.subarray(row * cols, (row + 1) * cols), row * stride);
    else for (let col = 0; col < cols; col++) words[row * stride + col] = f32ToF16(data[row * cols + col]);
  }
  return new Uint8Array(words.buffer);
}

/** Random numbers that an input of a kernel may hold. */
export function makeInput(spec: InputSpec, rows: number, type: "f32" | "f16" | "u32", rng: Rng): CpuTensor {
  const data = new Float32Array(rows * spec.cols);
  const words = new Uint32Array(data.buffer);
  for (let index = 0; index < data.length; index++) {
    const value = spec.fill ? spec.fill(rng, Math.floor(index / spec.cols), index % spec.cols) : rng.normal();
    if (type === "u32") words[index] = value;
    else data[index] = type === "f16" ? f16ToF32(f32ToF16(value)) : value;
  }
  return { rows, cols: spec.cols, data };
}

/** Slots of a cache where each has a range of its own, which its layout counts. */
function contiguousSlots(layout: KvLayout | undefined): number | undefined {
  return layout?.order === "contiguous" ? (layout.slots ?? 1) : undefined;
}

interface RowLimits {
  readonly tokenCount: number;
  /** Slots are below this. */
  readonly ownSlots: number | undefined;
}

/** Rows of one sequence in slot 1, or one row for each of several sequences of different lengths. */
function makeRows(kernelCase: KernelCase<unknown>, { tokenCount, ownSlots = Number.POSITIVE_INFINITY }: RowLimits, rng: Rng): StepRow[] {
  const past = kernelCase.pastTokens ?? 0;
  return Array.from({ length: kernelCase.rows }, (_, row) => {
    const token = rng.below(tokenCount);
    if (kernelCase.sequences !== "each") return { token, position: past + row, slot: Math.min(1, ownSlots - 1) };
    const slot = ((row + 1) % (kernelCase.rows + 1)) % ownSlots;
    return { token, position: Math.ceil((past * (kernelCase.rows - row)) / kernelCase.rows), slot };
  });
}

/** The step state, with room for `maxRows`. */
export function packStep(
  rows: readonly StepRow[],
  outputRows: readonly number[],
  maxRows: number = rows.length,
  shift = 0,
): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(stepBytes(maxRows) / 4);
  words.set([rows.length, outputRows.length, 0, shift]);
  for (const [index, row] of rows.entries()) {
    words.set([row.token, row.position, row.slot, outputRows[index] ?? 0], stepHeaderWords + index * stepRowWords);
  }
  return new Uint8Array(words.buffer);
}

function makeWeights<A>(kernel: Kernel<A>, attributes: A, rng: Rng): { tensors: CpuTensor[]; bytes: Uint8Array<ArrayBuffer>[] } {
  const tensors: CpuTensor[] = [];
  const bytes: Uint8Array<ArrayBuffer>[] = [];
  for (const { format, rows, cols } of kernel.operands(attributes).weights ?? []) {
    const source = format.sample(rng, (rows * cols) / format.blockSize);
    assert(source.byteLength === fileBytes(format, rows * cols), `${format.name} made weights of a wrong size`);
    const data = new Float32Array(rows * cols);
    format.dequantize(source, data);
    tensors.push({ rows, cols, data });
    bytes.push(packMatrix(format, source, { rows, cols }));
  }
  return { tensors, bytes };
}

/** Seed of a case's numbers. */
function seedOf(kernelCase: KernelCase<unknown>): number {
  return kernelCase.rows * 7919 + kernelCase.name.length;
}

/** References of kernels that write the cache or the slots' options change them in place; the operands stay as uploaded. */
export function copyWritten(args: CpuArgs): CpuArgs {
  const { kv, sampling, scores } = args;
  return {
    ...args,
    ...(kv && { kv: { ...kv, keys: kv.keys.slice(), values: kv.values.slice() } }),
    ...(sampling && { sampling: { ...sampling, sampling: sampling.sampling.slice(), adjust: sampling.adjust.slice() } }),
    ...(scores && { scores: scores.slice() }),
  };
}

type OperandBytes = Map<string, Uint8Array<ArrayBuffer>>;

function makeTables(
  specs: OperandSpecs,
  { rng, tableLength, bytes }: { rng: Rng; tableLength: number | undefined; bytes: OperandBytes },
): Float32Array[] {
  const tables = (specs.tables ?? []).map((length, index) => {
    const data = Float32Array.from({ length: Math.min(length, tableLength ?? length) }, () => rng.normal());
    bytes.set(`table${index}`, new Uint8Array(data.slice().buffer));
    return data;
  });
  for (const { length, word } of specs.lists ?? []) {
    const words = Uint32Array.from({ length }, (_, index) => word(rng, index));
    bytes.set(`table${tables.length}`, new Uint8Array(words.buffer));
    tables.push(new Float32Array(words.slice().buffer));
  }
  return tables;
}

/** A layer's scores before a step; those of a check are wanted. */
function makeScores(length: number | undefined, rng: Rng, bytes: OperandBytes): Float32Array<ArrayBuffer> | undefined {
  if (length === undefined) return undefined;
  const scores = Float32Array.from({ length }, (_, index) => (index === 0 ? 1 : rng.unit()));
  bytes.set("scores", new Uint8Array(scores.slice().buffer));
  return scores;
}

/** The last activation rows, in an order of their own. */
function outputRowsOf({ rows, outputRows = 1 }: KernelCase<unknown>): number[] {
  return Array.from({ length: outputRows }, (_, index) => (rows - outputRows + index) % rows).toReversed();
}

interface CacheNeed {
  readonly kernelCase: KernelCase<unknown>;
  readonly kvTokens: number | undefined;
  readonly slotCount: number;
  /** Whether the rows' keys and values are in the cache already. */
  readonly stored: boolean | "codes";
}

/** The cache that a kernel reads or writes, if it does. */
function makeCache(
  layout: KvLayout | undefined,
  { kernelCase, kvTokens, slotCount, stored }: CacheNeed,
  { rows, rng, bytes }: { readonly rows: readonly StepRow[]; readonly rng: Rng; readonly bytes: OperandBytes },
): { readonly pages?: Pages; readonly kv?: CpuKv } {
  if (!layout) return {};
  const slotPages = Math.min(layout.maxPages, Math.ceil((kvTokens ?? Number.POSITIVE_INFINITY) / layout.pageTokens));
  const pages = makePages(layout, { slotCount, slotPages, rng });
  const tailed = isKvPageType(layout.type) ? makePageKv(pages, rng, { rows, stored }) : undefined;
  const cache = tailed ?? makeKv(pages, rng);
  assert(
    rows.every(({ position }) => position < cache.kv.maxTokens),
    `case ${kernelCase.name} does not fit its pages`,
  );
  bytes.set("pages", new Uint8Array(pages.table.slice().buffer));
  bytes.set("kv", cache.bytes);
  if (tailed) bytes.set("tail", tailed.tail);
  return { pages, kv: cache.kv };
}

/** Everything one case reads; the same seed gives the same numbers on every adapter. */
export function makeOperands<A>(kernel: Kernel<A>, kernelCase: KernelCase<A>, target: KernelTarget, limits?: Limits): Operands {
  const { rng, tokenCount, kvTokens, tableLength }: Limits = limits ?? { rng: seededRng(seedOf(kernelCase)) };
  const specs = kernel.operands(kernelCase.attributes);
  const { shift = 0 } = kernelCase;
  const ownSlots = contiguousSlots(specs.kv);
  const rows = makeRows(kernelCase, { tokenCount: tokenCount ?? specs.tokenCount ?? 1000, ownSlots }, rng);
  const outputRows = outputRowsOf(kernelCase);
  const contextTokens = Math.max(...rows.map((row) => row.position)) + 1;
  const bytes = new Map<string, Uint8Array<ArrayBuffer>>();
  const slotCount = ownSlots ?? Math.max(slots, ...rows.map((row) => row.slot + 1));
  const sampling = specs.sampling && makeSampling(specs.sampling.cols, rng, slotCount);
  for (const [name, words] of Object.entries(sampling ?? {})) bytes.set(name, new Uint8Array(words.slice().buffer));
  const { pages, kv } = makeCache(
    specs.kv,
    { kernelCase, kvTokens, slotCount, stored: specs.repairs ? "codes" : kernel.outputs(kernelCase.attributes).length > 0 },
    { rows, rng, bytes },
  );
  const inputs: CpuTensor[] = [];
  for (const [index, spec] of (specs.inputs ?? []).entries()) {
    const type = elementType(spec.type, target);
    const before = { ...(kv && { kv }), ...(sampling && { sampling }) };
    const made: CpuArgs = { inputs, weights: [], vectors: [], tables: [], rows, outputRows, ...before };
    const tensor = spec.derive?.(made, referenceOf) ?? makeInput(spec, spec.rows === "rows" ? rows.length : outputRows.length, type, rng);
    bytes.set(`input${index}`, packRows(tensor, operandStride(spec), type));
    inputs.push(tensor);
  }
  const weights = makeWeights(kernel, kernelCase.attributes, rng);
  for (const [index, packed] of weights.bytes.entries()) bytes.set(`weight${index}`, packed);
  const vectors = (specs.vectors ?? []).map((length, index) => {
    const data = Float32Array.from({ length }, () => rng.normal());
    bytes.set(`vector${index}`, packRows({ rows: 1, cols: length, data }, rowStride(length), "f32"));
    return data;
  });
  const tables = makeTables(specs, { rng, tableLength, bytes });
  const scores = makeScores(specs.scores, rng, bytes);
  const step = packStep(rows, outputRows, target.maxRows, shift);
  bytes.set("state", step);
  const args = {
    inputs,
    weights: weights.tensors,
    vectors,
    tables,
    rows,
    outputRows,
    shift,
    ...(kv && { kv }),
    ...(sampling && { sampling }),
    ...(scores && { scores }),
  };
  return { args, bytes, step, pages, ...(specs.repairs && { repairs: true }), contextTokens };
}
