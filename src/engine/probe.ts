// Measures an adapter with the engine's own kernels in a second or two: what a matrix product, attention, a dispatch and a readback
// take, and what it multiplies from registers. Knows no model; speed.ts turns the rates into tokens per second. Method: works that take turns (probe_timer.ts).

import { untilAborted } from "../base/abort.ts";
import { asShaderloomError, ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { formatType, loadFormats } from "../formats/index.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { Caps } from "../gpu/caps.ts";
import { openDevice } from "../gpu/device.ts";
import { add } from "../kernels/add.ts";
import { attentionDecode, chooseSplits } from "../kernels/attention_decode.ts";
import { attentionPrefill } from "../kernels/attention_prefill.ts";
import type { KernelTarget, Precision } from "../kernels/kernel.ts";
import { linear, type LinearAttributes } from "../kernels/linear.ts";
import { elementBytesOf, makeCopyWork } from "./probe_copy.ts";
import { makePeakWorks, peaksOf } from "./probe_peaks.ts";
import { ratesOf } from "./probe_rates.ts";
import { type TimerOptions, timeWorks, type Work } from "./probe_timer.ts";
import { measureTransfers } from "./probe_transfers.ts";
import { WorkMaker, type WorkStep } from "./probe_works.ts";
import type { AdapterProbe } from "./verdict.ts";

export interface ProbeOptions {
  readonly deviceClass?: "gpu" | "cpu" | undefined;
  readonly activations?: Precision | undefined;
  /** Names of the weight formats to measure; default those that models are usually made of. */
  readonly formats?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

const usualFormats: readonly string[] = ["q4_0", "q8_0", "q4_k", "q6_k", "f16"];

/** What is measured: large enough to keep the adapter busy, small enough for a second or two in all. */
interface ProbeSizes {
  readonly decode: { readonly n: number; readonly k: number };
  readonly prefill: { readonly n: number; readonly k: number; readonly rows: number };
  /** Products too small to keep it busy: they tell what every product takes. */
  readonly smallK: number;
  /** Places that a matrix is read from in turn, more than a GPU's caches hold; not so much that small GPUs lack it. */
  readonly spreadBytes: number;
  readonly elementCols: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

const smallN = 64;
const elementRows = 128;
/** The past of a token early in an answer, which is what speeds are foretold for. */
const attentionTokens = 160;
const attentionRows = 128;
const pageTokens = 32;

/** Software adapters have few threads and a cache that no small model outgrows either. */
function sizesFor({ software }: Caps, formatCount: number): ProbeSizes {
  if (software) {
    const attention = { heads: 8, kvHeads: 4, headDim: 64 };
    const products = { decode: { n: 1024, k: 1024 }, prefill: { n: 1024, k: 512, rows: 64 }, smallK: 256 };
    return { ...attention, ...products, spreadBytes: 0, elementCols: 1024 };
  }
  const attention = { heads: 32, kvHeads: 8, headDim: 128 };
  const products = { decode: { n: 4096, k: 4096 }, prefill: { n: 4096, k: 1024, rows: 256 }, smallK: 1024 };
  return {
    ...attention,
    ...products,
    spreadBytes: Math.min(128 << 20, (256 << 20) / Math.max(1, formatCount)),
    elementCols: 4096,
  };
}

/** A work and how much it does: weights, multiply-adds, bytes. */
interface Measure {
  readonly work: Work;
  readonly amount: number;
}

/** The works by name; those of formats are `decode q4_0` and `prefill q4_0`. */
type Measures = Map<string, Measure>;

/**
 * Measures on a device of its own, which ends with the measurement.
 * @throws {ShaderloomError} GPU.* (unavailable, device, shader, lost, error, probe), AbortError
 */
export async function probeAdapter(gpu: GPU | undefined, options: ProbeOptions = {}): Promise<AdapterProbe> {
  throwIfAborted(options.signal);
  const startMs = performance.now();
  const opened = await openDevice(gpu, { deviceClass: options.deviceClass });
  const { device, caps } = opened;
  let failure: ShaderloomError | undefined;
  opened.onFailure((error) => {
    failure = error;
  });
  const check = (): void => {
    if (failure) throw failure;
  };
  const precision = options.activations ?? "f32";
  const target: KernelTarget = { caps, deviceClass: caps.deviceClass, precision, maxRows: 1 };
  const maker = new WorkMaker(device, target);
  const timer: TimerOptions = { device, signal: options.signal, check };
  try {
    assertPrecision(precision, caps);
    const types = (options.formats ?? usualFormats).flatMap((name) => formatType(name) ?? []);
    const wanted = [...(await untilAborted(loadFormats(types), options.signal)).values()];
    const sizes = sizesFor(caps, wanted.length);
    const measures = await untilAborted(makeMeasures(maker, target, { formats: wanted, sizes }), options.signal);
    const peakWorks = await untilAborted(makePeakWorks(maker, caps), options.signal);
    const times = await timeWorks(
      timer,
      [...measures.values(), ...peakWorks].map(({ work }) => work),
    );
    const found = new Map([...measures].map(([name, { amount }], index) => [name, { amount, ms: times[index] }]));
    const peaks = peaksOf(peakWorks, times.slice(measures.size));
    const rates = ratesOf(found, { formats: wanted.map(({ name }) => name), software: caps.software });
    const [format] = wanted;
    const step = measures.get(`decode ${format?.name}`);
    const stepMs = found.get(`decode ${format?.name}`)?.ms;
    const transfers = await measureTransfers(timer, step && stepMs !== undefined ? { work: step.work, ms: stepMs } : undefined);
    const { vendor, architecture, description, deviceClass, f16 } = caps;
    const adapter = { vendor, architecture, description, deviceClass, f16 };
    return { adapter, activations: precision, ...rates, peaks, ...transfers, tookMs: performance.now() - startMs };
  } catch (error) {
    // What a lost device makes the rest throw is a consequence.
    throw failure ?? asShaderloomError(error, "GPU.probe");
  } finally {
    maker.destroy();
    opened.destroy();
  }
}

function assertPrecision(precision: Precision, caps: Caps): void {
  if (precision !== "f16" || caps.f16) return;
  throw new ShaderloomError("GPU.unavailable", 'This GPU has no 16-bit floats in shaders. Use activations: "f32".');
}

async function makeMeasures(
  maker: WorkMaker,
  target: KernelTarget,
  { formats: wanted, sizes }: { formats: readonly WeightFormat[]; sizes: ProbeSizes },
): Promise<Measures> {
  const making: Array<Promise<readonly [string, Measure]>> = [];
  const note = (name: string, amount: number, work: Promise<Work>): void => {
    making.push(work.then((made) => [name, { work: made, amount }] as const));
  };
  const product = (format: WeightFormat, { n, k }: { n: number; k: number }, step: WorkStep): Promise<Work> =>
    maker.make(linear, productAttributes(format, { n, k }, target.precision), step);
  const { decode, prefill, smallK, spreadBytes, elementCols, heads, headDim } = sizes;
  for (const [index, format] of wanted.entries()) {
    note(`decode ${format.name}`, decode.n * decode.k, product(format, decode, { rows: 1, spreadBytes }));
    note(`prefill ${format.name}`, prefill.n * prefill.k * prefill.rows, product(format, prefill, { rows: prefill.rows }));
    if (index > 0) continue;
    const small = { n: smallN, k: smallK };
    note("small decode", smallN * smallK, product(format, small, { rows: 1 }));
    note("small prefill", smallN * smallK * smallN, product(format, small, { rows: smallN, maxRows: prefill.rows }));
  }
  const copy = makeCopyWork(maker, target);
  making.push(copy.then((made) => ["copy", { work: made.work, amount: made.bytes }] as const));
  const elements = { cols: elementCols };
  note("dispatch", 0, maker.make(add, elements, { rows: 1, maxRows: elementRows }));
  note("elements", 3 * elementRows * elementCols * elementBytesOf(target), maker.make(add, elements, { rows: elementRows }));
  const attributes = attentionAttributes(target, sizes);
  const decodeStep = { rows: 1, position: attentionTokens - 1 };
  note("attention decode", attentionTokens * heads * headDim, maker.make(attentionDecode, attributes, decodeStep));
  const causal = (attentionRows * (attentionRows + 1)) / 2;
  note("attention prefill", causal * heads * headDim, maker.make(attentionPrefill, attributes, { rows: attentionRows }));
  return new Map(await Promise.all(making));
}

function productAttributes(format: WeightFormat, { n, k }: { n: number; k: number }, precision: Precision): LinearAttributes {
  const activations = precision === "int8" ? ("int8" as const) : ("float" as const);
  return { format, k, n, bias: false, outStart: 0, outCols: n, over: "rows", out: "act", activations };
}

function attentionAttributes(
  target: KernelTarget,
  { heads, kvHeads, headDim }: ProbeSizes,
): Parameters<typeof attentionDecode.variants>[0] {
  const type = target.precision === "f16" ? ("f16" as const) : ("f32" as const);
  const kv = { pageTokens, numKvHeads: kvHeads, headDim, type, maxPages: attentionTokens / pageTokens };
  return { kv, numHeads: heads, scale: 1 / Math.sqrt(headDim), ...chooseSplits(target, kv, attentionTokens) };
}
