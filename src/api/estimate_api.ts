// `estimate` and `probe` in this thread.

import { estimateSession, probeSession } from "../engine/estimate.ts";
import { checkEstimateOptions, checkProbeOptions } from "./estimate_options.ts";
import type { AdapterProbe, Estimate, EstimateOptions, ProbeOptions } from "./types.ts";

/**
 * The verdict on a model, in this thread.
 *
 * @throws {ShaderloomError} REQUEST.<option>, and what `estimateSession` throws
 */
export async function estimateHere(options: EstimateOptions): Promise<Estimate> {
  const { worker: _worker, ...rest } = checkEstimateOptions(options);
  return estimateSession(rest);
}

/**
 * The measurement of this adapter, in this thread.
 *
 * @throws {ShaderloomError} REQUEST.<option>, and what `probeSession` throws
 */
export async function probeHere(options: ProbeOptions = {}): Promise<AdapterProbe> {
  const { worker: _worker, ...rest } = checkProbeOptions(options);
  return probeSession(rest);
}
