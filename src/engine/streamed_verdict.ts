// How a model that does not fit whole would run with its layers streamed: the least that works, what stays on the GPU, and the speed that
// follows from the rates of storage and adapter. Uses the planning of a streamed load; allocates nothing.

import { assert } from "../base/errors.ts";
import { imageScheme } from "../store/manifest.ts";
import type { ModelStore } from "../store/model_store.ts";
import { readsAtOnceFrom } from "../streaming/image.ts";
import { chooseSpread, usedFrames, simulate, type Wish } from "../streaming/schedule.ts";
import type { LoadedModel } from "./model.ts";
import type { RunnerPlan } from "./placement.ts";
import { measureReads } from "./read_probe.ts";
import { residencyFor } from "./residency.ts";
import { predictSpeed, promptTokens } from "./speed.ts";
import type { AdapterProbe, StreamedEstimate } from "./verdict.ts";

/** Of what an adapter gave, for what browser and system take meanwhile. */
const usedShare = 0.9;
const budgetStep = 1 << 20;

export interface StreamedOptions {
  readonly plan: RunnerPlan;
  readonly loaded: LoadedModel;
  /** Bytes that there are. */
  readonly givenBytes: number;
  /** What the caller wants to be used of them. */
  readonly memoryBudget: number | undefined;
  readonly probe: AdapterProbe;
  /** Where the copy would be stored; undefined where nothing is. */
  readonly models: ModelStore | undefined;
  /** The stored model; undefined when nothing of it is stored. */
  readonly model: string | undefined;
  readonly wish: Wish | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * @returns undefined when nothing tells how fast it would be, or when all of it fits
 * @throws {ShaderloomError} GPU.budget when there is less than works at all, QUOTA.memory, AbortError; STORE.*
 */
export async function judgeStreamed(options: StreamedOptions): Promise<StreamedEstimate | undefined> {
  const { plan, loaded, givenBytes, memoryBudget, probe, models, model, wish, signal } = options;
  const speed = predictSpeed(plan, probe);
  if (!speed) return undefined;
  const budget = memoryBudget !== undefined && memoryBudget <= givenBytes ? memoryBudget : floorTo(givenBytes * usedShare, budgetStep);
  const { caps } = plan.target;
  const residency = await residencyFor({ plan, model: loaded, caps, facts: [] }, budget);
  if (!residency) return undefined;
  const { image, shape, fixedBytes, leastBytes } = residency;
  const { tier, bytesPerSecond } = await measureReads({ models, model, signal });
  if (bytesPerSecond === 0) return undefined;
  const moving = { read: bytesPerSecond / 1000, copy: probe.uploadBytes / 1000, toldMs: probe.latency.idleMs };
  const computeMs = 1000 / speed.decodeTokensPerSecond;
  const rates = { ...moving, computeMs, headMs: Math.min(speed.headMs, computeMs) };
  const choice = chooseSpread(
    shape,
    { bytes: budget - fixedBytes, frames: usedFrames, readsAtOnce: readsAtOnceFrom(tier) },
    { rates, ...(wish ? { wish } : {}) },
  );
  assert(choice, "the least budget was checked");
  const promptMs = (promptTokens * 1000) / speed.prefillTokensPerSecond;
  const prompt = simulate(shape, choice, { ...moving, computeMs: promptMs, headMs: Math.min(speed.headMs, promptMs) });
  const residentLayers = choice.resident.filter(Boolean).length;
  return {
    memoryBudget: budget,
    leastBytes,
    residentLayers,
    streamedLayers: shape.sections.length - residentLayers,
    bytesPerToken: choice.bytes,
    decodeTokensPerSecond: 1000 / choice.stepMs,
    prefillTokensPerSecond: (promptTokens * 1000) / prompt.stepMs,
    imageBytes: image.bytes,
    imageStored: await isStored(options, image.bytes),
    tier,
    readBytesPerSecond: bytesPerSecond,
  };
}

async function isStored({ models, model }: StreamedOptions, bytes: number): Promise<boolean> {
  if (!models || model === undefined) return false;
  return (await models.find(imageScheme + model)).some((one) => one.state === "complete" && one.bytes === bytes);
}

function floorTo(value: number, step: number): number {
  return Math.floor(value / step) * step;
}
