// Opens the streaming of a model that is bigger than its budget: has the image written, measures, spreads the layers, fills what stays. A chunk
// of its own, as only loads under a budget need it.

import { assert, type ShaderloomError } from "../base/errors.ts";
import { type BufferLedger, type BufferRange, withMemoryCheck } from "../gpu/buffers.ts";
import type { Section as ProgramSection } from "../graph/program.ts";
import { Feed } from "../streaming/feed.ts";
import { fillLayers, type FillOptions } from "../streaming/fill.ts";
import { frameSizes, makeFrame, pieceStarts, type Placement, slabRange } from "../streaming/frames.ts";
import { asLayers, chooseSpread, type Choice, leastStaging, type Rates, type Wish } from "../streaming/schedule.ts";
import type { Section, StreamingStats } from "../streaming/types.ts";
import type { Residency } from "./residency.ts";
import type { RunnerParts, StepStream } from "./runner_parts.ts";
import { type ImageWork, prepareImage, repairImage } from "./streamed_image.ts";
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
  readonly deviceClass: "gpu" | "cpu";
  readonly wish: Wish;
  readonly advice: () => string;
}

/** Frames, where copies may run beside what computes: a CPU driver does one after the other. */
const framesOf = { gpu: 2, cpu: 1 };

/** MAP_WRITE | COPY_SRC. */
const stagingUsage = 0x02 | 0x04;

/** @throws {ShaderloomError} GPU.oom, GPU.lost, AbortError; as writing the image */
export async function openStreaming(options: StreamingOptions): Promise<Streaming> {
  const { work, residency, parts, ledger } = options;
  const image = await prepareImage(work);
  const repair = (sections: readonly number[]): Promise<void> => repairImage(work, image, sections);
  try {
    const { sections, chunkBytes } = residency.shape;
    const makeStaging = (count: number): GPUBuffer[] => {
      return Array.from({ length: count }, (_, index) =>
        ledger.create("weights", { label: `staging ${index}`, size: chunkBytes, usage: stagingUsage, mappedAtCreation: true }),
      );
    };
    const allocate = <T>(make: () => T): Promise<T> => withMemoryCheck(parts.device, options.advice, make);
    const filling: Omit<FillOptions, "staging"> = { device: parts.device, image, plan: residency.image, repair, signal: work.signal };
    const trial = await allocate(() => ({
      staging: makeStaging(leastStaging),
      frame: makeFrame(ledger, "trial", sizesOf(options, sections)),
    }));
    const rates = await measureRates(options, { ...filling, staging: trial.staging }, trial.frame);
    for (const buffer of trial.frame) ledger.destroy(buffer);
    for (const buffer of trial.staging) ledger.destroy(buffer);
    const choice = chooseSpread(
      residency.shape,
      { bytes: ledger.room, frames: framesOf[options.deviceClass] },
      { rates, wish: options.wish },
    );
    assert(choice, "the least budget was checked");
    const spread = await allocate(() => placeLayers(options, choice));
    const staging = await allocate(() => makeStaging(choice.stagingChunks));
    await fillLayers({ ...filling, staging }, spread.resident);
    const feed = new Feed({ ...filling, staging, layers: spread.streamed });
    const streamed = new Set(spread.streamed.map(({ place }) => place.section.layer));
    const steps = new StreamedSteps({
      queue: parts.device.queue,
      feed,
      runs: { prefill: streamedRuns(parts.prefill.lowered.calls, streamed), decode: streamedRuns(parts.decode.lowered.calls, streamed) },
      bodyEnd: bodyOf(parts.decode.lowered.sections).end,
    });
    const places = [...spread.resident, ...spread.streamed].flatMap(({ place }) =>
      [...place.section.slabs.keys()].map((slab) => [slab, place] as const),
    );
    const placeOf = new Map(places);
    return {
      steps,
      slab: (name) => {
        const place = placeOf.get(name);
        return place && slabRange(place, name);
      },
      stats: () => describe({ options, choice, rates, feed, steps, tier: image.tier }),
      close: (error) => {
        feed.close(error);
        image.close();
      },
    };
  } catch (thrown) {
    image.close();
    throw thrown;
  }
}

/** Reads one layer and computes steps with it in the place of all. */
async function measureRates({ residency, parts }: StreamingOptions, filling: FillOptions, frame: readonly GPUBuffer[]): Promise<Rates> {
  const { sections, maxBufferBytes } = residency.shape;
  const place = (section: Section): Placement => ({ section, starts: pieceStarts(section, maxBufferBytes), buffers: frame });
  const { read, copy } = await fillLayers(filling, [{ index: 0, place: place(sections[0]) }]);
  const placed = new Map(sections.flatMap((section) => [...section.slabs.keys()].map((slab) => [slab, place(section)] as const)));
  const computeMs = await measureCompute(parts, (name) => {
    const found = placed.get(name);
    return found ? slabRange(found, name) : parts.weights.slab(name);
  });
  const layerBytes = sections.reduce((sum, { bytes }) => sum + bytes, 0);
  const head = headOf(parts);
  const headBytes = residency.fixed.reduce((sum, slab) => sum + (slab.parts.some(({ tensor }) => head.has(tensor)) ? slab.bytes : 0), 0);
  return { read, copy, computeMs, headMs: (computeMs * headBytes) / (headBytes + layerBytes) };
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

interface PlacedLayer {
  readonly index: number;
  readonly place: Placement;
}

interface PlacedLayers {
  readonly resident: readonly PlacedLayer[];
  readonly streamed: readonly PlacedLayer[];
}

function sizesOf({ residency }: StreamingOptions, sections: readonly Section[]): readonly number[] {
  return frameSizes(sections, residency.shape.maxBufferBytes);
}

/** Makes the buffers of layers that stay, and the frames that the others share in turn. */
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
