// Runs one case of a kernel, every variant of it, on a real device and compares with the kernel's CPU reference.
// Used by kernels/conformance.gpu.test.ts; it makes no claim about speed.

import { f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { stepHeaderWords, stepRowWords } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { createPipelineCache, type Pipeline, type PipelineCache } from "../gpu/pipelines.ts";
import { assemble, type ShaderRequest } from "../gpu/shader.ts";
import {
  type CpuArgs,
  type CpuTensor,
  type Kernel,
  type KernelCase,
  type KernelTarget,
  operandStride,
  type OutputSpec,
  type Variant,
} from "../kernels/kernel.ts";
import { shaderFiles } from "../kernels/shader_files.ts";
import { elementType, garbage, makeOperands, type TestOperands, unpackKv } from "./kernel_operands.ts";

/** What one variant did on one case. */
export interface VariantResult {
  readonly key: string;
  /** The largest normalised mean squared error of its outputs; infinite when one holds NaN or infinity. */
  readonly nmse: number;
  /** Broken promises: a padding tail not zero, a word off, a write outside, a compiler message. At most 8. */
  readonly problems: readonly string[];
}

/** The bound of the kernels' contract. */
export function nmseBound(target: KernelTarget): number {
  return target.precision === "f32" ? 1e-6 : 5e-4;
}

interface Output {
  readonly spec: OutputSpec;
  readonly rows: number;
  readonly bytes: number;
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
  const outputs = specs.map((spec): Output => {
    const rows = spec.rows === "rows" ? kernelCase.rows : operands.args.outputRows.length;
    const elementBytes = elementType(spec.type, exact) === "f16" ? 2 : 4;
    // One more row than the step has: nothing may be written there.
    return { spec, rows, bytes: alignUp((rows + 1) * operandStride(spec) * elementBytes, 16) };
  });
  const expected = copyKv(operands.args);
  const reference = kernel.reference(kernelCase.attributes, expected);
  const results: VariantResult[] = [];
  for (const variant of kernel.variants(kernelCase.attributes, exact)) {
    const run: Run = { device, pipelines, variant, target: exact, operands, outputs };
    const messages = await compilerMessages(run);
    const found = await execute(run);
    const checks = outputs.map((output, index) => compareRows(found.outputs[index], reference[index], output, exact));
    if (found.kv && operands.pages && expected.kv) {
      const kv = unpackKv(found.kv, operands.pages);
      checks.push(compareFlat("keys", kv.keys, expected.kv.keys), compareFlat("values", kv.values, expected.kv.values));
    }
    if (found.state) checks.push(compareState(operands.step, found.state, reference[0]));
    results.push({
      key: variant.key,
      nmse: Math.max(0, ...checks.map((check) => check.nmse)),
      problems: [...messages, ...checks.flatMap((check) => check.problems)].slice(0, 8),
    });
  }
  return results;
}

/** The reference of a kernel that writes the cache changes it in place; the operands stay as uploaded. */
function copyKv(args: CpuArgs): CpuArgs {
  return args.kv ? { ...args, kv: { ...args.kv, keys: args.kv.keys.slice(), values: args.kv.values.slice() } } : args;
}

interface Run {
  readonly device: GPUDevice;
  readonly pipelines: PipelineCache;
  readonly variant: Variant;
  readonly target: KernelTarget;
  readonly operands: TestOperands;
  readonly outputs: readonly Output[];
}

interface Found {
  readonly outputs: Uint8Array<ArrayBuffer>[];
  readonly kv: Uint8Array<ArrayBuffer> | undefined;
  readonly state: Uint8Array<ArrayBuffer> | undefined;
}

function request({ variant, target }: Run): ShaderRequest {
  const { key, header, bindings, files, usesStep } = variant;
  return { label: key, header, bindings, files, ...(usesStep && { stepRows: target.maxRows }) };
}

/** Anything the compiler has to say, warnings included: a variant compiles silently. */
async function compilerMessages(run: Run): Promise<string[]> {
  const shader = assemble(request(run), shaderFiles);
  run.device.pushErrorScope("validation");
  const info = await run.device.createShaderModule({ code: shader.code }).getCompilationInfo();
  await run.device.popErrorScope();
  return info.messages.filter(({ type }) => type !== "info").map((message) => `${shader.locate(message.lineNum)}: ${message.message}`);
}

function upload(device: GPUDevice, bytes: Uint8Array<ArrayBuffer>, usage: number): GPUBuffer {
  const size = Math.max(16, alignUp(bytes.byteLength, 4));
  const buffer = device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_SRC, mappedAtCreation: true });
  new Uint8Array(buffer.getMappedRange()).set(bytes);
  buffer.unmap();
  return buffer;
}

function garbageBytes(output: Output, target: KernelTarget): Uint8Array<ArrayBuffer> {
  const half = elementType(output.spec.type, target) === "f16";
  const elements = half ? new Uint16Array(output.bytes / 2) : new Float32Array(output.bytes / 4);
  return new Uint8Array(elements.fill(half ? f32ToF16(garbage) : garbage).buffer);
}

async function execute(run: Run): Promise<Found> {
  const { device, variant, operands, outputs, target } = run;
  device.pushErrorScope("out-of-memory");
  device.pushErrorScope("validation");
  const pipeline = await run.pipelines.get(request(run));
  const buffers = new Map<string, GPUBuffer>();
  for (const { from } of variant.bindings) {
    const output = outputs[Number(from.replace("output", ""))];
    const bytes = from.startsWith("output") ? garbageBytes(output, target) : operands.bytes.get(from);
    if (!bytes) throw new Error(`${variant.key} binds ${from}, which the kernel's operands lack`);
    buffers.set(from, upload(device, bytes, GPUBufferUsage.STORAGE));
  }
  const step = upload(device, operands.step, GPUBufferUsage.UNIFORM);
  dispatch(run, pipeline, { buffers, step });
  const found = {
    outputs: await Promise.all(outputs.map((_, index) => readBack(device, buffers.get(`output${index}`)))),
    kv: written(variant, "kv") ? await readBack(device, buffers.get("kv")) : undefined,
    state: written(variant, "state") ? await readBack(device, buffers.get("state")) : undefined,
  };
  const errors = [await device.popErrorScope(), await device.popErrorScope()].filter((error) => error !== null);
  for (const buffer of [...buffers.values(), step]) buffer.destroy();
  if (errors.length > 0) throw new Error(`${variant.key}: ${errors.map((error) => error.message).join("; ")}`);
  return found;
}

function written(variant: Variant, operand: string): boolean {
  return variant.bindings.some(({ from, access }) => from === operand && access === "read_write");
}

function dispatch(run: Run, pipeline: Pipeline, bound: { buffers: ReadonlyMap<string, GPUBuffer>; step: GPUBuffer }): void {
  const { device, variant, operands } = run;
  const shape = {
    rows: operands.args.rows.length,
    outputRows: operands.args.outputRows.length,
    contextTokens: operands.contextTokens,
  };
  const grid = variant.grid(shape);
  if (grid.some((count) => count > 65535)) throw new Error(`${variant.key}: grid ${grid.join("x")} is over the limit`);
  const entries = [...bound.buffers.values()].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline.pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.tensors, entries }));
  if (pipeline.step) {
    pass.setBindGroup(1, device.createBindGroup({ layout: pipeline.step, entries: [{ binding: 0, resource: { buffer: bound.step } }] }));
  }
  pass.dispatchWorkgroups(...grid);
  pass.end();
  device.queue.submit([encoder.finish()]);
}

async function readBack(device: GPUDevice, buffer: GPUBuffer | undefined): Promise<Uint8Array<ArrayBuffer>> {
  if (!buffer) throw new Error("a variant leaves an output unbound");
  const target = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, target, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  const bytes = new Uint8Array(target.getMappedRange().slice(0));
  target.destroy();
  return bytes;
}

interface Check {
  readonly nmse: number;
  readonly problems: string[];
}

function normalised(error: number, norm: number): number {
  if (!Number.isFinite(error)) return Number.POSITIVE_INFINITY;
  return error === 0 ? 0 : error / Math.max(norm, Number.MIN_VALUE);
}

/** Compares an output with the reference; padding is zero unless the reference leaves the row's end alone. */
function compareRows(bytes: Uint8Array<ArrayBuffer>, want: CpuTensor, output: Output, target: KernelTarget): Check {
  const { spec, rows } = output;
  const stride = operandStride(spec);
  const half = elementType(spec.type, target) === "f16";
  const halves = new Uint16Array(bytes.buffer);
  const floats = half ? Float32Array.from(halves.subarray(0, (rows + 1) * stride), f16ToF32) : new Float32Array(bytes.buffer);
  const words = new Uint32Array(bytes.buffer);
  const wantWords = new Uint32Array(want.data.buffer, want.data.byteOffset, want.data.length);
  const exact = spec.exact ?? ((): boolean => spec.type === "u32");
  const problems: string[] = [];
  if (want.rows !== rows || want.cols !== spec.cols)
    problems.push(`reference gives [${want.rows}, ${want.cols}], not [${rows}, ${spec.cols}]`);
  let [error, norm] = [0, 0];
  for (let row = 0; row <= rows; row++) {
    for (let col = 0; col < stride; col++) {
      const at = row * stride + col;
      const index = row * spec.cols + col;
      if (row < rows && col < spec.cols && exact(col)) {
        if (words[at] !== wantWords[index]) problems.push(`[${row}, ${col}] is word ${words[at]}, not ${wantWords[index]}`);
        continue;
      }
      const last = want.data[row * spec.cols + Math.min(col, spec.cols - 1)];
      const untouched = row === rows || (Number.isNaN(last) && !exact(col));
      if (untouched || col >= spec.cols) {
        const value = untouched ? garbage : 0;
        if (floats[at] !== value) problems.push(`[${row}, ${col}] of [${rows}, ${spec.cols}] is ${floats[at]}, not ${value}`);
        continue;
      }
      error += (floats[at] - last) ** 2;
      norm += last ** 2;
    }
  }
  return { nmse: normalised(error, norm), problems };
}

function compareFlat(name: string, got: Float32Array, want: Float32Array): Check {
  let [error, norm] = [0, 0];
  for (let index = 0; index < want.length; index++) {
    error += (got[index] - want[index]) ** 2;
    norm += want[index] ** 2;
  }
  const first = got.findIndex((value, index) => Math.abs(value - want[index]) > 1e-2);
  return { nmse: normalised(error, norm), problems: first < 0 ? [] : [`${name}[${first}] is ${got[first]}, not ${want[first]}`] };
}

/** A kernel that writes the step state gives `[rows, 3]` words: token, position, slot of each row. Nothing else may change. */
function compareState(before: Uint8Array<ArrayBuffer>, after: Uint8Array<ArrayBuffer>, want: CpuTensor): Check {
  const wanted = new Uint32Array(before.slice().buffer);
  const rows = new Uint32Array(want.data.buffer, want.data.byteOffset, want.data.length);
  for (let row = 0; row < want.rows; row++) wanted.set(rows.subarray(row * 3, row * 3 + 3), stepHeaderWords + row * stepRowWords);
  const words = new Uint32Array(after.buffer);
  const first = wanted.findIndex((word, index) => words[index] !== word);
  return { nmse: 0, problems: first < 0 ? [] : [`state[${first}] is ${words[first]}, not ${wanted[first]}`] };
}
