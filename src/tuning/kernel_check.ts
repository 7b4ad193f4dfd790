// Whether a variant of any kernel is right on this adapter, on made-up operands: the very pipeline that the model runs, over few rows, few
// positions and the first rows of its weights. Products have a check of their own, in the model's weights.

import { f32ToF16 } from "../base/dtype.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import { ShaderloomError } from "../base/errors.ts";
import { isKvPageType } from "../base/kv_types.ts";
import type { KvLayout } from "../base/layout.ts";
import { alignUp } from "../base/math.ts";
import { seededRng } from "../base/rng.ts";
import { rowsOver } from "../graph/tiers.ts";
import { type CpuArgs, type CpuTensor, type Kernel, operandStride, type OutputSpec } from "../kernels/kernel.ts";
import { referenceOf } from "../kernels/references/index.ts";
import type { KernelClass } from "./classes.ts";
import { type Comparison, compareAll, compareFlat, compareRows, compareState, compareWords, expectAll, nmseBound } from "./compare.ts";
import { execute, type Found, type GpuOperand } from "./execute.ts";
import { expectedPages } from "./kv_page_operands.ts";
import { copyWritten, elementType, garbage, makeOperands, type Operands, unpackKv } from "./operands.ts";
import type { Compiled } from "./product_bench.ts";
import type { Verdict } from "./product_check.ts";

/** Rows of a step in a program for many. */
const manyRows = 5;
/** Positions before it. */
const pastTokens = 37;
/** Weight rows that are made. */
const weightRows = 16;

/** Elements of a table that the positions of a check reach, whatever a head is wide. */
const tableLength = 128 * 256;

interface Prepared {
  readonly cls: KernelClass;
  readonly operands: Operands;
  readonly gpu: ReadonlyMap<string, GpuOperand>;
  readonly args: CpuArgs;
  readonly reference: readonly CpuTensor[];
}

/** A check of a class, any variant of it, in buffers that the ledger counts. Submits before it returns. */
export function readyKernelCheck(device: GPUDevice, ledger: BufferLedger, cls: KernelClass): { run(compiled: Compiled): Promise<Verdict> } {
  const prepared = cls.calls[0].visit((kernel, attributes) => prepare(kernel, attributes, cls));
  const { operands, gpu } = prepared;
  const shape = { rows: operands.args.rows.length, outputRows: operands.args.outputRows.length, contextTokens: operands.contextTokens };
  return {
    run: async ({ variant, pipeline }) => {
      try {
        return judge(prepared, await execute(device, { variant, pipeline, shape, operands: gpu, step: operands.step }, ledger));
      } catch (thrown) {
        if (!(thrown instanceof ShaderloomError)) throw thrown;
        if (thrown.code === "GPU.oom") return { kind: "unchecked", reason: thrown.message };
        if (thrown.code === "GPU.error") return { kind: "wrong", reason: thrown.message };
        throw thrown;
      }
    },
  };
}

/** Positions before a step of `rows`: where types quantize full pages one page is, and the step fills the next. */
function pastOf({ type, pageTokens }: KvLayout, rows: number): number {
  return isKvPageType(type) ? 2 * pageTokens - Math.ceil(rows / 2) : pastTokens;
}

function prepare<A>(kernel: Kernel<A>, attributes: A, cls: KernelClass): Prepared {
  const { target, stepRows } = cls;
  const narrowed = kernel.narrow?.(attributes, weightRows);
  const overOutputs = rowsOver(cls.calls[0]) === "outputRows";
  const count = Math.min(target.maxRows, manyRows);
  const rows = overOutputs ? Math.min(stepRows, manyRows) : count;
  const outputRows = overOutputs ? Math.min(count, rows) : 1;
  const { kv, sampling } = kernel.operands(attributes);
  const past = kv ? Math.max(0, Math.min(pastOf(kv, rows), kv.maxPages * kv.pageTokens - rows)) : 0;
  const kernelCase = {
    name: kernel.name,
    attributes: narrowed?.attributes ?? attributes,
    rows,
    outputRows,
    pastTokens: past,
    ...(sampling && { sequences: "each" as const }),
  };
  const limits = { rng: seededRng(rows + past), tokenCount: narrowed?.tokenCount, kvTokens: past + rows, tableLength };
  const operands = makeOperands(kernel, kernelCase, { ...target, maxRows: stepRows }, limits);
  const gpu = new Map<string, GpuOperand>();
  for (const [name, bytes] of operands.bytes) gpu.set(name, { bytes });
  for (const [index, spec] of kernel.outputs(attributes).entries()) gpu.set(`output${index}`, { bytes: emptyOutput(spec, operands, cls) });
  const { args } = operands;
  const copied = copyWritten(args);
  return { cls, operands, gpu, args: copied, reference: referenceOf(kernel)(kernelCase.attributes, copied) };
}

function rowsOf(spec: OutputSpec, { args }: Operands): number {
  return (spec.rows === "rows" ? args.rows.length : args.outputRows.length) + (spec.extraRows ?? 0);
}

/** A row more than the step has, which nobody may write. */
function emptyOutput(spec: OutputSpec, operands: Operands, { target }: KernelClass): Uint8Array<ArrayBuffer> {
  const half = elementType(spec.type, target) === "f16";
  const bytes = alignUp((rowsOf(spec, operands) + 1) * operandStride(spec) * (half ? 2 : 4), 16);
  const elements = half ? new Uint16Array(bytes / 2) : new Float32Array(bytes / 4);
  return new Uint8Array(elements.fill(half ? f32ToF16(garbage) : garbage).buffer);
}

function judge(prepared: Prepared, found: Found): Verdict {
  const { cls, operands, args, reference } = prepared;
  const compared: Comparison[] = cls.calls[0].outputSpecs.flatMap((spec, index) => {
    const bytes = found.get(`output${index}`);
    return bytes ? [compareRows({ spec, rows: rowsOf(spec, operands), bytes }, expectAll(reference[index]), cls.target)] : [];
  });
  const [kv, state] = [found.get("kv"), found.get("state")];
  const pages = operands.pages && expectedPages({ ...operands, pages: operands.pages }, args, found);
  if (pages) compared.push(...compareAll(found, pages));
  else if (kv && operands.pages && args.kv) {
    const got = unpackKv(kv, operands.pages);
    compared.push(compareFlat("keys", got.keys, args.kv.keys), compareFlat("values", got.values, args.kv.values));
  }
  const scores = found.get("scores");
  if (scores && args.scores) compared.push(compareFlat("scores", new Float32Array(scores.buffer), args.scores));
  if (state) compared.push(compareState(operands.step, state, reference[0]));
  for (const [name, words] of Object.entries(args.sampling ?? {})) {
    const bytes = found.get(name);
    if (bytes) compared.push(compareWords(name, bytes, words));
  }
  const problem = compared.flatMap(({ problems }) => problems)[0];
  if (problem !== undefined) return { kind: "wrong", reason: problem };
  const nmse = Math.max(0, ...compared.map((one) => one.nmse));
  if (nmse <= nmseBound(cls.target)) return { kind: "right" };
  return { kind: "wrong", reason: `its results are off by an NMSE of ${nmse.toExponential(1)}` };
}
