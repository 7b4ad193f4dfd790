// The whole bench on one GPU object: what a page or Node calls, and all of the bench that is built.

import { openDevice } from "../src/gpu/device.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { measureNeurons, type NeuronsResult } from "./neurons.ts";
import { type CopyResult, measureCopy } from "./copy.ts";
import { type EstimateError, measureEstimate } from "./estimate.ts";
import { type KvSections, measureKvSections } from "./kv_sections.ts";
import { type KernelFilter, type KernelSections, measureKernelSections } from "./kernel_sections.ts";
import { type LoopResult, measureLoop } from "./loop.ts";
import { measureModel, type ModelSpec, type ModelSpeed, type SpeedOptions } from "./model_speed.ts";
import { measurePeaks, type Peaks } from "./peaks.ts";
import { measureRatios, type RatiosResult } from "./ratios.ts";
import { measureSteady, type SteadyResult } from "./steady.ts";
import { measureStream, type StreamOptions, type StreamResult } from "./stream.ts";

export { randomModel } from "./random_model.ts";

/** What can be measured, in the order in which it is. */
export type Section =
  | "copy"
  | "peaks"
  | "ratios"
  | "columns"
  | "lut"
  | "dispatch"
  | "kernels"
  | "loop"
  | "steady"
  | "stream"
  | "neurons"
  | "attention"
  | "prefix"
  | "sessions"
  | "kv_quality"
  | "kv_policies"
  | "models"
  | "estimate";

export interface SuiteOptions extends SpeedOptions {
  readonly sections: readonly Section[];
  readonly kernels?: KernelFilter;
  readonly models: readonly ModelSpec[];
  /** The random model that is streamed, and how fast its store is. */
  readonly stream?: Pick<StreamOptions, "shape" | "format" | "rate"> | undefined;
  /** What times are taken with, but for those of models; default the wall clock. */
  readonly clock?: (() => number) | undefined;
  readonly onProgress?: (line: string) => void;
}

export interface SuiteResult extends KernelSections {
  readonly adapter: Pick<Caps, "vendor" | "architecture" | "description" | "deviceClass" | "software" | "f16" | "subgroups">;
  readonly copy?: CopyResult;
  readonly peaks?: Peaks;
  readonly ratios?: RatiosResult;
  readonly loop?: LoopResult;
  readonly steady?: SteadyResult;
  readonly stream?: StreamResult;
  readonly neurons?: NeuronsResult;
  readonly kv: KvSections;
  readonly models: readonly ModelSpeed[];
  readonly estimates: readonly EstimateError[];
}

/**
 * Measures in the order bandwidth, kernels, models; nothing else should run meanwhile.
 * @param gpu  `navigator.gpu`, or Dawn's in Node
 */
export async function runSuite(gpu: GPU, options: SuiteOptions): Promise<SuiteResult> {
  const say = options.onProgress ?? ((): void => undefined);
  const has = (section: Section): boolean => options.sections.includes(section);
  const opened = await openDevice(gpu, { deviceClass: options.deviceClass });
  const { device, caps } = opened;
  const { vendor, architecture, description, deviceClass, software, f16, subgroups } = caps;
  const adapter = { vendor, architecture, description, deviceClass, software, f16, subgroups };
  const { clock } = options;
  const bench = { device, caps, say, clock };
  const measure = async <R>(section: Section, run: () => Promise<R>): Promise<R | undefined> => {
    if (!has(section)) return undefined;
    say(section);
    return run();
  };
  let kernels: Omit<SuiteResult, "models" | "estimates">;
  try {
    const copy = await measure("copy", () => measureCopy(device, caps, { clock }));
    const peaks = await measure("peaks", () => measurePeaks(device, caps, { clock }));
    const ratios = await measure("ratios", () => measureRatios(device, caps, { clock }));
    const sections = await measureKernelSections(bench, options.sections, options.kernels);
    const loop = await measure("loop", () => measureLoop(gpu));
    const steady = await measure("steady", () => measureSteady(gpu, options.deviceClass));
    const { stream: streamed } = options;
    const stream = streamed && (await measure("stream", () => measureStream({ ...options, ...streamed, gpu, say })));
    const neurons = await measure("neurons", () => measureNeurons(gpu, options.deviceClass ?? caps.deviceClass));
    const loops = { ...(loop && { loop }), ...(steady && { steady }), ...(stream && { stream }), ...(neurons && { neurons }) };
    const kv = await measureKvSections({ ...bench, gpu, deviceClass: options.deviceClass, models: options.models, say }, options.sections);
    kernels = { adapter, ...(copy && { copy }), ...(peaks && { peaks }), ...(ratios && { ratios }), ...loops, ...sections, kv };
  } finally {
    opened.destroy();
  }
  const models: ModelSpeed[] = [];
  const estimates: EstimateError[] = [];
  for (const spec of has("models") || has("estimate") ? options.models : []) {
    say(spec.kind === "file" ? spec.name : `random ${spec.shape} ${spec.format}`);
    if (has("models")) models.push(await measureModel(spec, { ...options, gpu }));
    if (has("estimate")) estimates.push(await measureEstimate(spec, { ...options, gpu }));
  }
  return { ...kernels, models, estimates };
}
