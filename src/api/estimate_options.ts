// Validates the options of `estimate` and `probe`, in a chunk that engines need not. What they share with `createEngine` is its module's.

import { checkAdapterOptions, checkModelOptions } from "./engine_options.ts";
import { isRecord, readFields, requestError } from "./fields.ts";
import { checkKvOptions } from "./kv_option_checks.ts";
import type { EstimateOptions, ProbeOptions } from "./types.ts";

const ESTIMATE_NAMES = [
  "model",
  "worker",
  "contextLength",
  "memoryBudget",
  "signal",
  "gpu",
  "activations",
  "deviceClass",
  "hub",
  "store",
  "quantize",
  "execution",
  "kv",
  "probe",
];

/**
 * The options of `estimate`, checked.
 *
 * @throws {ShaderloomError} REQUEST.<option>
 */
export function checkEstimateOptions(options: EstimateOptions): EstimateOptions {
  const fields = readFields(options, "", ESTIMATE_NAMES);
  checkModelOptions(fields);
  if (fields.get("kv") !== undefined) checkKvOptions(fields.get("kv"), options);
  const probe = fields.get("probe");
  if (probe !== undefined && !isProbe(probe)) throw requestError("probe", "what probe() gave", probe);
  return { ...options };
}

function isRate(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function isRates(value: unknown): boolean {
  return isRecord(value) && Object.values(value).every((one) => isRate(one));
}

/** A probe may have been kept by the caller and come from anywhere: its figures have to be numbers that can be reckoned with. */
function isProbe(value: unknown): boolean {
  if (!isRecord(value) || !isRecord(value["adapter"])) return false;
  const { adapter: _adapter, activations: _activations, ...figures } = value;
  const names = ["copyBytes", "decodeWeights", "prefillProducts", "attentionProducts", "dispatchMs", "readbackMs"];
  return names.every((name) => Object.hasOwn(figures, name)) && Object.values(figures).every((one) => isRate(one) || isRates(one));
}

/**
 * The options of `probe`, checked.
 *
 * @throws {ShaderloomError} REQUEST.<option>
 */
export function checkProbeOptions(options: ProbeOptions): ProbeOptions {
  checkAdapterOptions(readFields(options, "", ["gpu", "deviceClass", "activations", "worker", "signal"]));
  return { ...options };
}
