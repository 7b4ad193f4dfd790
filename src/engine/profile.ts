// Where the time of a model's steps goes on this adapter: every dispatch of a decode and of a prefill step timed, beside what its bytes
// and multiply-adds would take at the adapter's best. The sequence in the slot is overwritten; the caller forgets it.

import { assert, ShaderloomError } from "../base/errors.ts";
import type { BufferLedger } from "../gpu/buffers.ts";
import type { Caps } from "../gpu/caps.ts";
import type { StepDispatch } from "../graph/program.ts";
import { greedySampling } from "../sampling/params.ts";
import type { Precision, StepRow, StepShape } from "../kernels/kernel.ts";
import { makeCopyWork } from "./probe_copy.ts";
import { makePeakWorks, peaksOf } from "./probe_peaks.ts";
import { median, type TimerOptions, timeWorks } from "./probe_timer.ts";
import { WorkMaker } from "./probe_works.ts";
import {
  type Profile,
  type ProfiledDispatch,
  type ProfiledStep,
  type ProfileFacts,
  type ProfileOptions,
  tableOf,
  traceOf,
} from "./profile_report.ts";
import { openStepClock, type StepClock, type TimedDispatch } from "./profile_timing.ts";
import type { Runner } from "./runner.ts";
import type { CompiledPhase, RunnerParts } from "./runner_parts.ts";
import { choosingOf, decodeSections, prefillSections } from "./step_result.ts";

export interface ProfileParts extends Pick<RunnerParts, "device" | "control" | "sampling" | "prefill" | "decode" | "vocabSize"> {
  readonly runner: Pick<Runner, "reserve" | "truncate">;
  readonly ledger: BufferLedger;
  readonly caps: Caps;
  readonly precision: Precision;
  /** Rows that the prefill program has room for. */
  readonly maxRows: number;
  readonly contextLength: number;
  readonly slot: number;
  /** Throws what went wrong with the device in the meantime. */
  readonly check: () => void;
}

const defaultTokens = 256;
/** From one row's token to the next one's: a prime, so that they lie apart in the embedding. */
const tokenStep = 7919;
const encodeRounds = 9;
const encodeRepeats = 32;

/** What shares are of. */
type Limits = Pick<Profile, "copyBytesPerSecond" | "macsPerSecond">;

/**
 * Profiles a prefill step, then a decode step. Nothing else may run meanwhile, and the slot is empty afterwards.
 * @throws {ShaderloomError} AbortError, GPU.oom, GPU.lost, what `check` throws
 */
export async function profileRunner(parts: ProfileParts, options: ProfileOptions = {}): Promise<Profile> {
  const { device, caps, ledger, runner, contextLength, maxRows, slot, check } = parts;
  const { tokens = Math.min(defaultTokens, contextLength), promptTokens = Math.min(maxRows, contextLength), signal } = options;
  assert(tokens >= 1 && tokens <= contextLength, "the caller checks tokens");
  assert(promptTokens >= 1 && promptTokens <= Math.min(maxRows, contextLength), "the caller checks promptTokens");
  const timer: TimerOptions = { device, signal, check };
  runner.truncate(slot, 0);
  let clock: StepClock | undefined;
  try {
    await runner.reserve(slot, Math.max(tokens, promptTokens));
    // Whatever the last request wished for: the likeliest token, and none that would end the step's sequence.
    parts.sampling.begin(slot, { params: greedySampling, promptIds: [], stopIds: new Set() });
    clock = await openStepClock(timer, ledger);
    const limits = await measureLimits(parts, timer);
    const token = (index: number): number => (index * tokenStep) % parts.vocabSize;
    const rows = Array.from({ length: promptTokens }, (_, position): StepRow => ({ token: token(position), position, slot }));
    const last: StepRow = { token: token(tokens), position: tokens - 1, slot };
    // In this order, so that the decode step attends to keys that a prompt made.
    const prefill = await profileStep(parts, { clock, limits, phase: "prefill", rows });
    const decode = await profileStep(parts, { clock, limits, phase: "decode", rows: [last] });
    const { vendor, architecture, description, deviceClass, f16 } = caps;
    const adapter = { vendor, architecture, description, deviceClass, f16 };
    const { timestamps, quantumMs } = clock;
    const facts: ProfileFacts = { adapter, activations: parts.precision, timestamps, quantumMs, ...limits, steps: [decode, prefill] };
    return { ...facts, table: tableOf(facts), trace: traceOf(facts) };
  } finally {
    clock?.destroy();
    runner.truncate(slot, 0);
  }
}

/** On the session's own device, in buffers that end with it. */
async function measureLimits({ device, ledger, caps, precision }: ProfileParts, timer: TimerOptions): Promise<Limits> {
  const target = { caps, deviceClass: caps.deviceClass, precision, maxRows: 1 };
  const maker = new WorkMaker(device, target, ledger);
  const measure = async (): Promise<Limits> => {
    const copy = await makeCopyWork(maker, target);
    const kind = precision === "int8" ? "packedDot" : "f32";
    const peaks = await makePeakWorks(maker, caps, [kind]);
    const [copyMs, ...peakMs] = await timeWorks(timer, [copy.work, ...peaks.map(({ work }) => work)]);
    return { copyBytesPerSecond: (copy.bytes * 1000) / copyMs, macsPerSecond: peaksOf(peaks, peakMs)[kind] };
  };
  device.pushErrorScope("out-of-memory");
  const [outcome] = await Promise.allSettled([measure()]);
  maker.destroy();
  const memory = await device.popErrorScope().catch(() => null);
  if (memory) throw new ShaderloomError("GPU.oom", `The GPU has too little memory left to measure its bandwidth. ${memory.message}`);
  if (outcome.status === "rejected") throw outcome.reason;
  return outcome.value;
}

interface StepWish {
  readonly clock: StepClock;
  readonly limits: Limits;
  readonly phase: "prefill" | "decode";
  readonly rows: readonly StepRow[];
}

async function profileStep(parts: ProfileParts, { clock, limits, phase, rows }: StepWish): Promise<ProfiledStep> {
  const { program, lowered } = parts[phase];
  const contextTokens = rows[rows.length - 1].position + 1;
  const shape: StepShape = { rows: rows.length, outputRows: 1, contextTokens };
  // Scores are for requests that ask for them, and the request is greedy.
  const sections = (phase === "decode" ? decodeSections : prefillSections)[choosingOf(lowered, true)].id;
  const found = program.dispatches(shape, sections);
  const prepare = (): void => {
    const step = { rows, outputRows: [rows.length - 1] };
    if (phase === "prefill") parts.control.writePrefill(step);
    else parts.control.writeDecode(step);
  };
  const { each, totalMs } = await clock.time({ prepare, dispatches: timedDispatches(parts[phase], found, shape) });
  const encodeMs = timeEncoding(parts.device, (pass, repeat) => {
    // As from token to token: grids that follow the context are found out anew.
    program.encode(pass, { ...shape, contextTokens: contextTokens + (repeat % 2) }, sections);
  });
  const dispatches = found.map(({ call, variant }, index): ProfiledDispatch => {
    const { bytes, macs } = call.visit((kernel, attributes) => kernel.work(attributes, shape));
    const ms = each[index];
    const share = (amount: number, perSecond: number): number => (ms > 0 ? (amount * 1000) / ms / perSecond : 0);
    const shares = { bandwidthShare: share(bytes, limits.copyBytesPerSecond), computeShare: share(macs, limits.macsPerSecond) };
    return { name: call.name, kernel: call.kernel, variant: variant.key, ms, bytes, macs, ...shares };
  });
  return { phase, rows: rows.length, contextTokens, totalMs, encodeMs, dispatches };
}

/** Milliseconds that a step's commands take to encode: of rounds that outlast a coarse clock, the median. Nothing of it is submitted. */
function timeEncoding(device: GPUDevice, encode: (pass: GPUComputePassEncoder, repeat: number) => void): number {
  const rounds = Array.from({ length: encodeRounds }, () => {
    const start = performance.now();
    for (let repeat = 0; repeat < encodeRepeats; repeat++) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      encode(pass, repeat);
      pass.end();
      encoder.finish();
    }
    return (performance.now() - start) / encodeRepeats;
  });
  return median(rounds);
}

/**
 * Repeats of a dispatch rotate over those of other layers that run the same text between the same buffers, so that weights come from memory
 * as they do in a run; the last one is its own, so that what follows finds what it should. All kernels may be repeated: they overwrite what
 * they made, but for `advance`, the last of its step, and for the choice of a token, which leaves a counter behind that every request sets.
 */
function timedDispatches({ program }: CompiledPhase, found: readonly StepDispatch[], shape: StepShape): TimedDispatch[] {
  const identity = numbering();
  const keys = found.map(({ call, variant, pipeline }) => {
    const work = [identity(pipeline), ...variant.grid(shape)].join("/");
    const buffers = [...call.inputs, ...call.outputs].map((value) => identity(program.buffer(value)));
    return { work, place: [work, ...buffers].join("/") };
  });
  return found.map(({ index, call }, at) => {
    const siblings = found.filter((_, other) => keys[other].place === keys[at].place).map((sibling) => sibling.index);
    const own = siblings.indexOf(index);
    return {
      class: keys[at].work,
      moves: call.kernel === "advance",
      encode: (pass, repeats) => {
        for (let left = repeats - 1; left >= 0; left--) program.encodeOne(pass, siblings[(own + left) % siblings.length], shape);
      },
    };
  });
}

/** Numbers objects in the order in which they are first seen. */
function numbering(): (object: object) => number {
  const numbers = new Map<object, number>();
  return (object) => {
    const known = numbers.get(object) ?? numbers.size;
    numbers.set(object, known);
    return known;
  };
}
