// The variants of one kernel on the same operands: checked against the kernel's reference, then timed in turns. A variant that does not
// compile or is wrong has no time.

import { f16ToF32 } from "../src/base/dtype.ts";
import type { PipelineCache } from "../src/gpu/pipelines.ts";
import type { CpuTensor, Variant } from "../src/kernels/kernel.ts";
import { nmseBound } from "../src/tuning/compare.ts";
import { timeRounds, type TimingOptions, type Work } from "./measure.ts";
import { attributesText } from "./model_calls.ts";
import { type Output, StepOperands } from "./operands.ts";
import { median } from "./statistics.ts";

export interface RivalTime {
  readonly key: string;
  /** Of the fastest round, because whatever else runs only adds; absent when `fault` is there. */
  readonly ms?: number;
  readonly medianMs?: number;
  /** Pipeline creation, in which rivals overlap. */
  readonly compileMs: number;
  /** The largest normalised mean squared error of an output; 0 for kernels that write only pages or step state. */
  readonly nmse?: number;
  readonly fault?: string;
}

interface Rival {
  readonly variant: Variant;
  readonly compileMs: number;
  readonly work?: Work;
  readonly nmse?: number;
  readonly fault?: string;
}

/** Where rivals run; the cache keeps pipelines that several steps share. */
export interface Arena {
  readonly device: GPUDevice;
  readonly pipelines: PipelineCache;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
}

async function build<A>(arena: Arena, operands: StepOperands<A>, variant: Variant): Promise<Rival> {
  const { device, pipelines } = arena;
  const { rows, outputRows = 1 } = operands.step;
  const { key, header, bindings, files, usesStep } = variant;
  const start = performance.now();
  try {
    const pipeline = await pipelines.get({ label: key, header, bindings, files, ...(usesStep ? { stepRows: operands.room } : {}) });
    const compileMs = performance.now() - start;
    const copies = Math.max(...bindings.map(({ from }) => operands.bound.get(from)?.length ?? 1));
    const groups = Array.from({ length: copies }, (_, copy) =>
      device.createBindGroup({
        layout: pipeline.tensors,
        entries: bindings.map(({ from }, binding) => {
          const bound = operands.bound.get(from);
          if (bound === undefined) throw new Error(`the bench makes no ${from}`);
          return { binding, resource: bound[copy % bound.length] };
        }),
      }),
    );
    const state =
      pipeline.step && device.createBindGroup({ layout: pipeline.step, entries: [{ binding: 0, resource: { buffer: operands.state } }] });
    const grid = variant.grid({ rows, outputRows, contextTokens: operands.made.contextTokens });
    const work: Work = (pass, repetition) => {
      pass.setPipeline(pipeline.pipeline);
      pass.setBindGroup(0, groups[repetition % groups.length]);
      if (state) pass.setBindGroup(1, state);
      pass.dispatchWorkgroups(...grid);
    };
    return { variant, compileMs, work };
  } catch (error) {
    return { variant, compileMs: performance.now() - start, fault: messageOf(error) };
  }
}

async function readBuffer(device: GPUDevice, buffer: GPUBuffer): Promise<ArrayBuffer> {
  const copy = device.createBuffer({ size: buffer.size, usage: 0x01 | 0x08 }); // MAP_READ | COPY_DST
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(1); // GPUMapMode.READ
  const bytes = copy.getMappedRange().slice(0);
  copy.destroy();
  return bytes;
}

/** Where the reference has the value of a column; undefined: nowhere. */
export type ColumnOf = (col: number) => number | undefined;

/** Normalised mean squared error of rows `stride` elements apart; words must be equal, or it is infinite. */
export function outputError(
  { spec, rows, stride, type }: Omit<Output, "buffer">,
  { bytes, want, columnOf }: { bytes: ArrayBuffer; want: CpuTensor; columnOf: ColumnOf },
): number {
  const words = new Uint32Array(bytes, 0, bytes.byteLength >> 2);
  const halves = new Uint16Array(bytes);
  const floats = new Float32Array(bytes, 0, bytes.byteLength >> 2);
  const wantWords = new Uint32Array(want.data.buffer, want.data.byteOffset, want.data.length);
  const columns = Array.from({ length: spec.cols }, (_, col) => columnOf(col));
  const exact = spec.exact ?? ((): boolean => spec.type === "u32");
  let [error, norm] = [0, 0];
  // Of many rows some, in steps that share no factor with a tile.
  const next = rows > 16 ? 5 : 1;
  for (let row = (rows - 1) % next; row < rows; row += next) {
    for (const [col, from] of columns.entries()) {
      if (from === undefined) continue;
      const [at, index] = [row * stride + col, row * want.cols + from];
      const wanted = want.data[index];
      if (spec.leaves === true && Number.isNaN(wanted)) continue;
      if (exact(col)) {
        if (words[at] !== wantWords[index]) return Number.POSITIVE_INFINITY;
        continue;
      }
      if (Number.isNaN(wanted)) continue;
      const found = type === "f16" ? f16ToF32(halves[at]) : floats[at];
      error += (found - wanted) ** 2;
      norm += wanted ** 2;
    }
  }
  if (!Number.isFinite(error)) return Number.POSITIVE_INFINITY;
  return error === 0 ? 0 : error / Math.max(norm, Number.MIN_VALUE);
}

/** Runs once and compares. */
async function check<A>({ device }: Arena, operands: StepOperands<A>, rival: Rival & { work: Work }): Promise<Rival> {
  const { kernel, attributes, target } = operands.step;
  operands.reset();
  device.pushErrorScope("validation");
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  rival.work(pass, 0);
  pass.end();
  device.queue.submit([encoder.finish()]);
  const refusal = await device.popErrorScope();
  if (refusal) return { ...rival, fault: refusal.message };
  let nmse = 0;
  for (const [index, output] of operands.outputs.entries()) {
    const want = operands.expected()[index];
    const bytes = await readBuffer(device, output.buffer);
    nmse = Math.max(nmse, outputError(output, { bytes, want, columnOf: (col) => operands.columnOf(col) }));
  }
  if (nmse <= nmseBound(target)) return { ...rival, nmse };
  return {
    ...rival,
    nmse,
    fault: `wrong results, NMSE ${nmse.toPrecision(2)}: ${kernel.name} ${attributesText(attributes)}`,
  };
}

/** Times of the variants, in their order. */
export async function timeRivals<A>(
  arena: Arena,
  operands: StepOperands<A>,
  variants: readonly Variant[],
  timing: TimingOptions,
): Promise<RivalTime[]> {
  const built = await Promise.all(variants.map((variant) => build(arena, operands, variant)));
  const checked: Rival[] = [];
  for (const rival of built) checked.push(rival.work ? await check(arena, operands, { ...rival, work: rival.work }) : rival);
  const right = checked.filter(({ fault }) => fault === undefined);
  const works = right.flatMap(({ work }) => work ?? []);
  const rounds = new Map((await timeRounds(arena.device, works, timing)).map((one, index) => [right[index], one]));
  return checked.map((rival) => {
    const { variant, compileMs, nmse, fault } = rival;
    const times = rounds.get(rival);
    return {
      key: variant.key,
      ...(times && { ms: Math.min(...times), medianMs: median(times) }),
      compileMs,
      ...(nmse !== undefined && { nmse }),
      ...(fault !== undefined && { fault }),
    };
  });
}

/** The fastest of them that is right. */
export function fastest(times: readonly RivalTime[]): (RivalTime & { readonly ms: number }) | undefined {
  let best: (RivalTime & { readonly ms: number }) | undefined;
  for (const time of times) if (time.ms !== undefined && (best === undefined || time.ms < best.ms)) best = { ...time, ms: time.ms };
  return best;
}
