// The whole bench on one GPU object: what a page or Node calls, and all of the bench that is built.

import { openDevice } from "../src/gpu/device.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { type CopyResult, measureCopy } from "./copy.ts";
import { type EstimateError, measureEstimate } from "./estimate.ts";
import { measureMatvec, type MatvecResult } from "./matvec.ts";
import { measureModel, type ModelSpec, type ModelSpeed, type SpeedOptions } from "./model_speed.ts";

export interface SuiteOptions extends SpeedOptions {
  readonly copy: boolean;
  readonly matvec: boolean;
  /** Whether the speed of each model is measured by itself; default true. */
  readonly speed?: boolean;
  /** Whether each model is foretold and compared; default false. */
  readonly estimate?: boolean;
  readonly models: readonly ModelSpec[];
  readonly onProgress?: (line: string) => void;
}

export interface SuiteResult {
  readonly adapter: Pick<Caps, "vendor" | "architecture" | "description" | "deviceClass" | "f16" | "subgroups">;
  readonly copy?: CopyResult;
  readonly matvec?: MatvecResult;
  readonly models: readonly ModelSpeed[];
  readonly estimates: readonly EstimateError[];
}

/**
 * Measures in the order bandwidth, kernels, models; nothing else should run meanwhile.
 * @param gpu  `navigator.gpu`, or Dawn's in Node
 */
export async function runSuite(gpu: GPU, options: SuiteOptions): Promise<SuiteResult> {
  const say = options.onProgress ?? ((): void => undefined);
  const opened = await openDevice(gpu, { deviceClass: options.deviceClass });
  const { device, caps } = opened;
  const { vendor, architecture, description, deviceClass, f16, subgroups } = caps;
  const adapter = { vendor, architecture, description, deviceClass, f16, subgroups };
  let copy: CopyResult | undefined;
  let matvec: MatvecResult | undefined;
  try {
    if (options.copy) {
      say("copy");
      copy = await measureCopy(device, caps);
    }
    if (options.matvec) {
      say("matvec");
      matvec = await measureMatvec(device, caps);
    }
  } finally {
    opened.destroy();
  }
  const models: ModelSpeed[] = [];
  const estimates: EstimateError[] = [];
  for (const spec of options.models) {
    say(spec.kind === "file" ? spec.name : `random ${spec.shape} ${spec.format}`);
    if (options.speed ?? true) models.push(await measureModel(spec, { ...options, gpu }));
    if (options.estimate) estimates.push(await measureEstimate(spec, { ...options, gpu }));
  }
  return { adapter, ...(copy ? { copy } : {}), ...(matvec ? { matvec } : {}), models, estimates };
}
