// Runs one case of a kernel, every variant of it, on a real device and compares with the kernel's CPU reference.
// Used by kernels/conformance.gpu.test.ts; it makes no claim about speed.

import { f32ToF16 } from "../base/dtype.ts";
import { alignUp } from "../base/math.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import { assemble } from "../gpu/shader.ts";
import { programRequest } from "../graph/program.ts";
import {
  type CpuArgs,
  type CpuTensor,
  type Kernel,
  type KernelCase,
  type KernelTarget,
  operandStride,
  type OutputSpec,
} from "../kernels/kernel.ts";
import { referenceOf } from "../kernels/references/index.ts";
import { shaderFiles } from "./shader_files.ts";
import {
  type Comparison,
  compareAll,
  compareFlat,
  compareRows,
  compareState,
  compareWords,
  expectAll,
  nmseBound,
} from "../tuning/compare.ts";
import { execute, type Found, type GpuOperand } from "../tuning/execute.ts";
import { expectedPages } from "../tuning/kv_page_operands.ts";
import { copyWritten, elementType, garbage, makeOperands, type Operands, unpackKv } from "../tuning/operands.ts";

export { nmseBound };

/** What one variant did on one case. */
export interface VariantResult {
  readonly key: string;
  /** The largest normalised mean squared error of its outputs; infinite when one holds NaN or infinity. */
  readonly nmse: number;
  /** Broken promises: a padding tail not zero, a word off, a write outside, a compiler message. At most 8. */
  readonly problems: readonly string[];
}

/** What a case gives: operands, and how its outputs should look. */
interface Prepared {
  readonly target: KernelTarget;
  readonly operands: Operands;
  readonly specs: readonly OutputSpec[];
  readonly expected: CpuArgs;
  readonly reference: readonly CpuTensor[];
}

/** Runs every variant of a case; the target's `maxRows` is the case's. */
export async function runCase<A>(
  device: GPUDevice,
  kernel: Kernel<A>,
  kernelCase: KernelCase<A>,
  target: KernelTarget,
): Promise<VariantResult[]> {
  const pipelines = createPipelineCache(device, shaderFiles);
  const exact = { ...target, maxRows: kernelCase.rows };
  const operands = makeOperands(kernel, kernelCase, exact);
  const specs = kernel.outputs(kernelCase.attributes);
  const expected = copyWritten(operands.args);
  const reference = referenceOf(kernel)(kernelCase.attributes, expected);
  const prepared: Prepared = { target: exact, operands, specs, expected, reference };
  const gpuOperands = new Map<string, GpuOperand>();
  for (const [name, bytes] of operands.bytes) gpuOperands.set(name, { bytes });
  for (const [index, spec] of specs.entries()) gpuOperands.set(`output${index}`, { bytes: garbageBytes(spec, prepared) });
  const shape = { rows: operands.args.rows.length, outputRows: operands.args.outputRows.length, contextTokens: operands.contextTokens };
  const results: VariantResult[] = [];
  for (const variant of kernel.variants(kernelCase.attributes, exact)) {
    const request = programRequest(variant, exact.maxRows);
    const messages = await compilerMessages(device, request);
    const pipeline = await pipelines.get(request);
    const found = await execute(device, { variant, pipeline, shape, operands: gpuOperands, step: operands.step });
    const checks = compare(prepared, found);
    results.push({
      key: variant.key,
      nmse: Math.max(0, ...checks.map((check) => check.nmse)),
      problems: [...messages, ...checks.flatMap((check) => check.problems)].slice(0, 8),
    });
  }
  return results;
}

function compare({ target, operands, specs, expected, reference }: Prepared, found: Found): Comparison[] {
  const checks = specs.map((spec, index): Comparison => {
    const bytes = found.get(`output${index}`);
    if (!bytes) throw new Error("a variant leaves an output unbound");
    const rows = rowsOf(spec, operands);
    const want = reference[index];
    const shape = want.rows === rows && want.cols === spec.cols;
    const compared = compareRows({ spec, rows, bytes }, expectAll(want), target);
    return shape ? compared : { ...compared, problems: [`reference gives [${want.rows}, ${want.cols}], not [${rows}, ${spec.cols}]`] };
  });
  const [kvBytes, state] = [found.get("kv"), found.get("state")];
  const pages = operands.pages && expectedPages({ ...operands, pages: operands.pages }, expected, found);
  if (pages) checks.push(...compareAll(found, pages));
  else if (kvBytes && operands.pages && expected.kv) {
    const kv = unpackKv(kvBytes, operands.pages);
    checks.push(compareFlat("keys", kv.keys, expected.kv.keys), compareFlat("values", kv.values, expected.kv.values));
  }
  const scores = found.get("scores");
  if (scores && expected.scores) checks.push(compareFlat("scores", new Float32Array(scores.buffer), expected.scores));
  if (state) checks.push(compareState(operands.step, state, reference[0]));
  for (const [name, words] of Object.entries(expected.sampling ?? {})) {
    const bytes = found.get(name);
    if (bytes) checks.push(compareWords(name, bytes, words));
  }
  return checks;
}

function rowsOf(spec: OutputSpec, { args }: Operands): number {
  return (spec.rows === "rows" ? args.rows.length : args.outputRows.length) + (spec.extraRows ?? 0);
}

/** Anything the compiler has to say, warnings included: a variant compiles silently. */
async function compilerMessages(device: GPUDevice, request: ReturnType<typeof programRequest>): Promise<string[]> {
  const shader = assemble(request, shaderFiles);
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code: shader.code });
  const scope = device.popErrorScope();
  const info = await module.getCompilationInfo();
  await scope;
  return info.messages.filter(({ type }) => type !== "info").map((message) => `${shader.locate(message.lineNum)}: ${message.message}`);
}

/** An output before the run; one more row than the step has, where nothing may be written. */
function garbageBytes(spec: OutputSpec, { operands, target }: Prepared): Uint8Array<ArrayBuffer> {
  const half = elementType(spec.type, target) === "f16";
  const bytes = alignUp((rowsOf(spec, operands) + 1) * operandStride(spec) * (half ? 2 : 4), 16);
  const elements = half ? new Uint16Array(bytes / 2) : new Float32Array(bytes / 4);
  return new Uint8Array(elements.fill(half ? f32ToF16(garbage) : garbage).buffer);
}
