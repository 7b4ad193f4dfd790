// Runs one variant of a product or an embedding on a real device: in a pipeline with room for more rows than the step has, and with NaN
// wherever it must not read. It chooses nothing; product_reference.ts says what is right.

import { f32ToF16 } from "../base/dtype.ts";
import { assert } from "../base/errors.ts";
import { rowStride } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { type Rng, seededRng } from "../base/rng.ts";
import type { PipelineCache } from "../gpu/pipelines.ts";
import { programRequest } from "../graph/program.ts";
import { type CpuTensor, type KernelTarget, operandStride, type OutputSpec, type Variant } from "../kernels/kernel.ts";
import { quantizedSpecs } from "../kernels/codes.ts";
import { quantize } from "../kernels/quantize.ts";
import { dequantizeRows } from "../kernels/references/codes.ts";
import { execute, type GpuOperand } from "../tuning/execute.ts";
import { elementType, garbage, makeInput, packRows, packStep } from "../tuning/operands.ts";
import { flushAllowance } from "./edge_blocks.ts";
import {
  kindOf,
  makeMatrix,
  type MatrixShape,
  type ProductErrors,
  productErrors,
  productsOf,
  type Reference,
} from "./product_reference.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A product of `n` weight rows, or an embedding by a table of `n` rows. */
export interface ProductCase extends MatrixShape {
  readonly operation: "linear" | "embed";
  readonly bias: boolean;
  readonly out: "act" | "f32";
  /** Its `maxRows` is the tier. */
  readonly target: KernelTarget;
  readonly variant: Variant;
}

/** What cases share. */
export interface ProductDevice {
  readonly device: GPUDevice;
  readonly pipelines: PipelineCache;
}

/** Operands of a case for `maxRows` rows, of which a step may use fewer. */
interface Prepared {
  readonly tokens: readonly number[];
  readonly inputs: ReadonlyArray<{ readonly bytes: Bytes; readonly rowBytes: number }>;
  readonly fixed: ReadonlyMap<string, GpuOperand>;
  readonly spec: OutputSpec;
  readonly reference: Reference;
  readonly unquantized: Reference | undefined;
  readonly flushed: number;
}

function stepOf(tokens: readonly number[], maxRows: number): Bytes {
  const rows = tokens.map((token, position) => ({ token, position, slot: 0 }));
  return packStep(rows, [rows.length - 1], maxRows);
}

/** Products do not look at them. */
function anyTokens(rows: number): number[] {
  return Array.from({ length: rows }, () => 0);
}

/** Codes and scales as the adapter's own `quantize` makes them. */
async function quantizeOnGpu({ device, pipelines }: ProductDevice, target: KernelTarget, x: CpuTensor): Promise<readonly CpuTensor[]> {
  const attributes = { cols: x.cols, over: "rows" } as const;
  const [variant] = quantize.variants(attributes, target);
  const specs = quantizedSpecs(attributes);
  const operands = new Map<string, GpuOperand>([["input0", { bytes: packRows(x, rowStride(x.cols), "f32") }]]);
  for (const [index, spec] of specs.entries()) {
    operands.set(`output${index}`, { bytes: new Uint8Array(alignUp(x.rows * operandStride(spec) * 4, 16)) });
  }
  const pipeline = await pipelines.get(programRequest(variant, x.rows));
  const shape = { rows: x.rows, outputRows: 1, contextTokens: 1 };
  const step = stepOf(anyTokens(x.rows), x.rows);
  const found = await execute(device, { variant, pipeline, shape, operands, step });
  return specs.map((spec, index) => {
    const bytes = found.get(`output${index}`);
    assert(bytes, "quantize leaves an output unbound");
    const data = new Float32Array(x.rows * spec.cols);
    // As words: codes are no numbers.
    const words = new Uint32Array(data.buffer);
    for (let row = 0; row < x.rows; row++) {
      words.set(new Uint32Array(bytes.buffer, row * operandStride(spec) * 4, spec.cols), row * spec.cols);
    }
    return { rows: x.rows, cols: spec.cols, data };
  });
}

/** Weights as a tile of f16 holds them. */
function asHalves(weights: CpuTensor): CpuTensor {
  return { ...weights, data: weights.data.map((value) => Math.max(-65504, Math.min(65504, value))) };
}

async function prepareLinear(gpu: ProductDevice, one: ProductCase, rng: Rng): Promise<Prepared> {
  const { format, n, k, out, target, variant } = one;
  const { maxRows } = target;
  const { values, packed } = makeMatrix(one, rng);
  const weights = variant.key.includes("f16_tile") ? asHalves(values) : values;
  const floats = makeInput({ rows: "rows", cols: k, type: "act" }, maxRows, elementType("act", target), rng);
  const bias = one.bias ? Float32Array.from({ length: n }, () => rng.normal()) : undefined;
  const codes = target.precision === "int8" ? await quantizeOnGpu(gpu, target, floats) : undefined;
  const specs = codes ? quantizedSpecs({ cols: k, over: "rows" }) : [{ cols: k, type: "act" as const }];
  const inputs = (codes ?? [floats]).map((tensor, index) => {
    const stride = operandStride(specs[index]);
    const type = elementType(specs[index].type, target);
    return { bytes: packRows(tensor, stride, type), rowBytes: stride * (type === "f16" ? 2 : 4) };
  });
  const fixed = new Map<string, GpuOperand>([["weight0", { bytes: packed }]]);
  if (bias) fixed.set("vector0", { bytes: packRows({ rows: 1, cols: n, data: bias }, rowStride(n), "f32") });
  return {
    tokens: anyTokens(maxRows),
    inputs,
    fixed,
    spec: { rows: "rows", cols: n, type: out },
    reference: productsOf(codes ? dequantizeRows(codes, k) : floats, weights, bias),
    unquantized: codes && productsOf(floats, weights, bias),
    flushed: k * flushAllowance(format) * floats.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  };
}

function prepareEmbed(one: ProductCase, rng: Rng): Prepared {
  const { format, n, k, kind, target } = one;
  const { values: table, packed } = makeMatrix(one, rng);
  const tokens = Array.from({ length: target.maxRows }, (_, row) => (row * 7 + kind) % n);
  const values = new Float64Array(tokens.length * k);
  for (const [row, token] of tokens.entries()) values.set(table.data.subarray(token * k, (token + 1) * k), row * k);
  return {
    tokens,
    inputs: [],
    fixed: new Map([["weight0", { bytes: packed }]]),
    spec: { rows: "rows", cols: k, type: "act" },
    reference: { cols: k, values, energies: values.map((value) => value ** 2) },
    unquantized: undefined,
    flushed: flushAllowance(format),
  };
}

/** Runs a case for one row, for one row fewer than the tier has, and for all. */
export async function runProduct(gpu: ProductDevice, one: ProductCase): Promise<ProductErrors> {
  const { variant, target } = one;
  const { maxRows } = target;
  const rng = seededRng(one.format.ggufType * 8191 + one.n * 31 + one.k + one.kind);
  const embedding = one.operation === "embed";
  const prepared = embedding ? prepareEmbed(one, rng) : await prepareLinear(gpu, one, rng);
  const { inputs, tokens, spec, reference, unquantized, flushed } = prepared;
  const half = elementType(spec.type, target) === "f16";
  const pipeline = await gpu.pipelines.get(programRequest(variant, maxRows));
  let [nmse, quantized] = [0, 0];
  const problems: string[] = [];
  for (const rows of new Set([1, Math.max(1, maxRows - 1), maxRows])) {
    const operands = new Map(prepared.fixed);
    for (const [index, input] of inputs.entries()) operands.set(`input${index}`, { bytes: upTo(rows, input) });
    operands.set("output0", { bytes: untouched((maxRows + 1) * operandStride(spec), half) });
    // Grids come from an upper bound: here that of the tier for a single row.
    const shape = { rows: rows === 1 ? maxRows : rows, outputRows: 1, contextTokens: maxRows };
    const step = stepOf(tokens.slice(0, rows), maxRows);
    const bytes = (await execute(gpu.device, { variant, pipeline, shape, operands, step })).get("output0");
    assert(bytes, "a variant leaves its output unbound");
    const kind = (row: number, col: number): number => kindOf(one, embedding ? tokens[row] : col);
    const errors = productErrors({ spec, half, bytes, rows, reference, unquantized, kind, flushed });
    nmse = Math.max(nmse, errors.nmse);
    quantized = Math.max(quantized, errors.quantized);
    problems.push(...errors.problems.map((problem) => `${rows} of ${maxRows} rows: ${problem}`));
  }
  return { nmse, quantized, problems: problems.slice(0, 8) };
}

/** An input with bytes beyond the rows of a step that are NaN as numbers. */
function upTo(rows: number, { bytes, rowBytes }: Prepared["inputs"][number]): Bytes {
  const cut = bytes.slice();
  cut.fill(0xff, rows * rowBytes);
  return cut;
}

/** An output before the run. */
function untouched(elements: number, half: boolean): Bytes {
  const bytes = alignUp(elements * (half ? 2 : 4), 16);
  const values = half ? new Uint16Array(bytes / 2).fill(f32ToF16(garbage)) : new Float32Array(bytes / 4).fill(garbage);
  return new Uint8Array(values.buffer);
}
