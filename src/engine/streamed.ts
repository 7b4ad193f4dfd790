// Opens the streaming of a model that is bigger than its budget: has the image written, measures, spreads the layers, fills what stays. A chunk
// of its own, as only loads under a budget need it.

import { abortError, assert, type ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { type BufferLedger, type BufferRange, withMemoryCheck } from "../gpu/buffers.ts";
import type { Section as ProgramSection } from "../graph/program.ts";
import { Feed } from "../streaming/feed.ts";
import { fillLayers, type FillOptions, type PlacedLayer } from "../streaming/fill.ts";
import { frameSizes, makeFrame, pieceStarts, type Placement, slabRange } from "../streaming/frames.ts";
import { measureCopy, measureRead } from "../streaming/rates.ts";
import { asLayers, chooseSpread, type Choice, usedFrames, leastStaging, type Rates, type Wish } from "../streaming/schedule.ts";
import { mappedSlot, type Slot } from "../streaming/staging.ts";
import type { Section, StreamingStats } from "../streaming/types.ts";
import type { Residency } from "./residency.ts";
import type { RunnerParts, StepStream } from "./runner_parts.ts";
import { type ImageWork, type OpenedImage, prepareImage, repairImage } from "./streamed_image.ts";
import { measureCompute } from "./streamed_measure.ts";
import { StreamedSteps, streamedRuns } from "./streamed_steps.ts";

/** Layers that come and go. */
export interface Streaming {
  readonly steps: StepStream;
  /** Where a slab of a layer is bound; undefined for what is of no layer. */
  slab(name: string): BufferRange | undefined;
  stats(): StreamingStats;
  /** Ends reading. @param error  what steps that wait are told */
  close(error: ShaderloomError): void;
}

export interface StreamingOptions {
  readonly ledger: BufferLedger;
  readonly residency: Residency;
  readonly parts: Omit<RunnerParts, "stream">;
  readonly work: ImageWork;
  readonly wish: Wish;
  readonly advice: () => string;
}

/** MAP_WRITE | COPY_SRC. */
const stagingUsage = 0x02 | 0x04;

/** @throws {ShaderloomError} GPU.oom, GPU.lost, AbortError; as writing the image */
export async function openStreaming(options: StreamingOptions): Promise<Streaming> {
  const opened = await prepareImage(options.work);
  try {
    return await streamFrom(options, opened);
  } catch (thrown) {
    opened.close();
    throw thrown;
  }
}

async function streamFrom(options: StreamingOptions, opened: OpenedImage): Promise<Streaming> {
  const { image } = opened;
  const { work, residency, parts } = options;
  const repair = (sections: readonly number[]): Promise<void> => repairImage(work, image, sections);
  const filling: FillOptions = { device: parts.device, image, plan: residency.image, repair, signal: work.signal };
  const { choice, rates } = await chooseByMeasure(options, filling);
  const spread = await withMemoryCheck(parts.device, options.advice, () => placeLayers(options, choice));
  const staging = await fillLayers(filling, spread.resident, spread.staging);
  const feed = new Feed({ ...filling, staging, layers: spread.streamed });
  const steps = stepsOver(parts, feed, spread);
  const placeOf = new Map(
    [...spread.resident, ...spread.streamed].flatMap(({ place }) => [...place.section.slabs.keys()].map((slab) => [slab, place] as const)),
  );
  const close = (error: ShaderloomError): void => {
    steps.abandon();
    feed.close(error);
    opened.close();
  };
  // A load that fails after this ends it as an unload does.
  const { signal } = work.origin.again;
  signal.addEventListener("abort", () => close(abortError()), { once: true });
  throwIfAborted(signal);
  return {
    steps,
    slab: (name) => {
      const place = placeOf.get(name);
      return place && slabRange(place, name);
    },
    stats: () => describe({ options, choice, rates, feed, steps, tier: image.tier }),
    close,
  };
}

function makeStaging({ ledger, residency }: StreamingOptions, count: number): Slot[] {
  const size = residency.shape.chunkBytes;
  return Array.from({ length: count }, (_, index) =>
    mappedSlot(ledger.create("weights", { label: `staging ${index}`, size, usage: stagingUsage, mappedAtCreation: true })),
  );
}

/** Spreads the layers by what reading and computing take here, in buffers that are given back. */
async function chooseByMeasure(
  options: StreamingOptions,
  filling: FillOptions,
): Promise<{ readonly choice: Choice; readonly rates: Rates }> {
  const { residency, parts, ledger, wish, advice } = options;
  const { staging, frame } = await withMemoryCheck(parts.device, advice, () => ({
    staging: makeStaging(options, leastStaging),
    frame: makeFrame(ledger, "trial", sizesOf(options, residency.shape.sections)),
  }));
  const rates = await measureRates(options, filling, { frame, staging });
  for (const buffer of [...frame, ...staging.map((slot) => slot.buffer)]) ledger.destroy(buffer);
  const room = { bytes: ledger.room, frames: usedFrames, readsAtOnce: filling.image.readsAtOnce };
  const choice = chooseSpread(residency.shape, room, { rates, wish });
  assert(choice, "the least budget was checked");
  return { choice, rates };
}

function stepsOver(parts: StreamingOptions["parts"], feed: Feed, { streamed }: PlacedLayers): StreamedSteps {
  const layers = new Set(streamed.map(({ place }) => place.section.layer));
  const runs = { prefill: streamedRuns(parts.prefill.lowered.calls, layers), decode: streamedRuns(parts.decode.lowered.calls, layers) };
  return new StreamedSteps({ queue: parts.device.queue, feed, runs, bodyEnd: bodyOf(parts.decode.lowered.sections).end });
}

interface Trial {
  readonly frame: readonly GPUBuffer[];
  readonly staging: readonly Slot[];
}

/** Reads some layers and computes steps with one in the place of all. */
async function measureRates({ residency, parts }: StreamingOptions, filling: FillOptions, { frame, staging }: Trial): Promise<Rates> {
  const { sections, maxBufferBytes } = residency.shape;
  const place = (section: Section): Placement => ({ section, starts: pieceStarts(section, maxBufferBytes), buffers: frame });
  const read = await measureRead(filling);
  const [slot] = await fillLayers(filling, [{ index: 0, place: place(sections[0]) }], staging);
  const copied = await measureCopy(parts.device, slot, place(sections[0]));
  const placed = new Map(sections.flatMap((section) => [...section.slabs.keys()].map((slab) => [slab, place(section)] as const)));
  const computeMs = await measureCompute(parts, (name) => {
    const found = placed.get(name);
    return found ? slabRange(found, name) : parts.weights.slab(name);
  });
  const layerBytes = sections.reduce((sum, { bytes }) => sum + bytes, 0);
  const head = headOf(parts);
  const headBytes = residency.fixed.reduce((sum, slab) => sum + (slab.parts.some(({ tensor }) => head.has(tensor)) ? slab.bytes : 0), 0);
  return { read, ...copied, computeMs, headMs: (computeMs * headBytes) / (headBytes + layerBytes) };
}

/** Tensors that the head multiplies with. */
function headOf({ decode }: Omit<RunnerParts, "stream">): ReadonlySet<string> {
  const { calls, sections } = decode.lowered;
  const head = sections.find(({ name }) => name === "head");
  return new Set(calls.slice(head?.start, head?.end).flatMap(({ weights }) => weights.map(({ tensor }) => tensor)));
}

function bodyOf(sections: readonly ProgramSection[]): ProgramSection {
  const body = sections.find(({ name }) => name === "body");
  assert(body?.start === 0, "a program begins with its body");
  return body;
}

interface PlacedLayers {
  readonly staging: readonly Slot[];
  readonly resident: readonly PlacedLayer[];
  readonly streamed: readonly PlacedLayer[];
}

function sizesOf({ residency }: StreamingOptions, sections: readonly Section[]): readonly number[] {
  return frameSizes(sections, residency.shape.maxBufferBytes);
}

/** Makes the buffers of layers that stay, the frames that the others share in turn, and what is read ahead into. */
function placeLayers(options: StreamingOptions, choice: Choice): PlacedLayers {
  const { residency, ledger } = options;
  const { sections, maxBufferBytes } = residency.shape;
  const all = sections.map((section, index) => ({ section, index, starts: pieceStarts(section, maxBufferBytes) }));
  const streamed = all.filter(({ index }) => !choice.resident[index]);
  const sizes = sizesOf(
    options,
    streamed.map(({ section }) => section),
  );
  const frames = Array.from({ length: Math.min(choice.frames, streamed.length) }, (_, frame) => makeFrame(ledger, `frame ${frame}`, sizes));
  return {
    staging: makeStaging(options, choice.stagingChunks),
    streamed: streamed.map(({ section, index, starts }, at) => ({
      index,
      place: { section, starts, buffers: frames[at % frames.length] },
    })),
    resident: all
      .filter(({ index }) => choice.resident[index])
      .map(({ section, index, starts }) => ({
        index,
        place: { section, starts, buffers: makeFrame(ledger, `layer ${section.layer}`, sizesOf(options, [section])) },
      })),
  };
}

interface Described {
  readonly options: StreamingOptions;
  readonly choice: Choice;
  readonly rates: Rates;
  readonly feed: Feed;
  readonly steps: StreamedSteps;
  readonly tier: StreamingStats["image"]["tier"];
}

function describe({ options, choice, rates, feed, steps, tier }: Described): StreamingStats {
  const { sections, chunkBytes } = options.residency.shape;
  const { bytes, repairs, readBytesPerSecond } = feed.counters;
  const { decodeSteps, decodeStallMs } = steps.counters;
  const resident = choice.resident.filter(Boolean).length;
  return {
    resident,
    streamed: sections.length - resident,
    layers: choice.resident.map((stays, index) => (stays ? "resident" : feed.stateOf(index))),
    frames: choice.frames,
    prefetch: asLayers(sections, choice.stagingChunks),
    stagingBytes: choice.stagingChunks * chunkBytes,
    image: { tier, bytes: options.residency.image.bytes },
    bytes,
    bytesPerStep: choice.bytes,
    stallMsPerToken: decodeStallMs / Math.max(1, decodeSteps),
    readBytesPerSecond,
    repairs,
    foretold: { tokenMs: choice.stepMs, computeMs: rates.computeMs },
  };
}
