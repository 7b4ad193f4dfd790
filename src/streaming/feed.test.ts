// The feed against a queue of its own kind: copies apply in the order of submits, staging buffers come back late, reads take any time, fail or
// find nothing, steps are left. Whatever happens, a layer that is called ready is wholly in its frame and stays until it is submitted.
import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { seededRng } from "../base/rng.ts";
import { Feed } from "./feed.ts";
import { pieceStarts } from "./frames.ts";
import { mappedSlot } from "./staging.ts";
import type { ImagePlan, Section, WeightImage } from "./types.ts";

const chunkBytes = 256;

interface FakeBuffer {
  readonly size: number;
  readonly data: Uint8Array<ArrayBuffer>;
  mapped: boolean;
  /** Whether the range of this mapping was given out. */
  taken: boolean;
}

interface FakeDevice {
  readonly device: GPUDevice;
  readonly buffer: (size: number, mapped?: boolean) => GPUBuffer;
  readonly dataOf: (buffer: GPUBuffer) => Uint8Array;
}

/** A device with a queue in order, whose mappings are told of after `mapMs`. */
function fakeDevice(mapMs: () => number): FakeDevice {
  const inner = new Map<unknown, FakeBuffer>();
  const of = (buffer: unknown): FakeBuffer => {
    const found = inner.get(buffer);
    if (!found) throw new Error("no such buffer");
    return found;
  };
  const make = (size: number, mapped = false): GPUBuffer => {
    const fake: FakeBuffer = { size, data: new Uint8Array(size), mapped, taken: false };
    const buffer = {
      size,
      getMappedRange: () => {
        if (!fake.mapped || fake.taken) throw new Error("a range is given out once a mapping");
        fake.taken = true;
        return fake.data.buffer;
      },
      unmap: () => {
        if (!fake.mapped) throw new Error("not mapped");
        fake.mapped = false;
        fake.taken = false;
      },
      mapAsync: async () => {
        await new Promise((resolve) => void setTimeout(resolve, mapMs()));
        fake.mapped = true;
      },
    } as unknown as GPUBuffer;
    inner.set(buffer, fake);
    return buffer;
  };
  const device = {
    createCommandEncoder: () => {
      const copies: Array<() => void> = [];
      return {
        copyBufferToBuffer: (...[from, at, to, place, bytes]: [GPUBuffer, number, GPUBuffer, number, number]) => {
          if (of(from).mapped) throw new Error("a mapped buffer is copied from");
          copies.push(() => of(to).data.set(of(from).data.subarray(at, at + bytes), place));
        },
        finish: () => copies,
      };
    },
    queue: { submit: (all: Array<Array<() => void>>) => all.flat().forEach((copy) => copy()) },
  } as unknown as GPUDevice;
  return { device, buffer: make, dataOf: (buffer) => of(buffer).data };
}

function planOf(layerBytes: readonly number[]): ImagePlan {
  let firstChunk = 0;
  const sections = layerBytes.map((bytes, layer): Section => {
    const chunks = Math.ceil(bytes / chunkBytes);
    const section = { layer, firstChunk, chunks, bytes, slabs: new Map([[`blk.${layer}.a`, 0]]) };
    firstChunk += chunks;
    return section;
  });
  return { chunkBytes, sections, bytes: firstChunk * chunkBytes, revision: "" };
}

/** The byte of a section at a place: no two sections have the same anywhere. */
function byteOf(section: number, at: number): number {
  return (section * 31 + at * 7 + (at >> 8) * 13) & 0xff;
}

interface World {
  readonly layers: readonly number[];
  readonly frames: number;
  readonly staging: number;
  readonly readsAtOnce: number;
  readonly readMs: () => number;
  readonly mapMs: () => number;
  /** What becomes of a read; `true` fills. */
  readonly outcome?: () => boolean | Error;
  readonly repair?: () => Promise<void>;
}

function makeFeed({ layers, frames, staging, readsAtOnce, readMs, mapMs, outcome = () => true, repair = async () => undefined }: World): {
  readonly feed: Feed;
  /** Whether a layer is in its frame, all of it. */
  holds(layer: number): boolean;
  readonly reads: () => number;
} {
  const plan = planOf(layers);
  const { device, buffer, dataOf } = fakeDevice(mapMs);
  const size = Math.max(...layers);
  const sets = Array.from({ length: frames }, () => [buffer(size)]);
  let reads = 0;
  const image: Pick<WeightImage, "read" | "readsAtOnce"> = {
    readsAtOnce,
    read: async (section, chunk, into) => {
      reads++;
      await new Promise((resolve) => void setTimeout(resolve, readMs()));
      const found = outcome();
      if (found instanceof Error) throw found;
      if (found) for (let at = 0; at < chunkBytes; at++) into[at] = byteOf(section, chunk * chunkBytes + at);
      return found;
    },
  };
  const places = plan.sections.map((section, index) => ({
    index,
    place: { section, starts: pieceStarts(section, 1 << 20), buffers: sets[index % frames] },
  }));
  const feed = new Feed({
    device,
    image: image as WeightImage,
    plan,
    layers: places,
    staging: Array.from({ length: staging }, () => mappedSlot(buffer(chunkBytes, true))),
    repair,
  });
  const holds = (layer: number): boolean => {
    const data = dataOf(sets[layer % frames][0]).subarray(0, layers[layer]);
    return data.every((byte, at) => byte === byteOf(layer, at));
  };
  return { feed, holds, reads: () => reads };
}

const evicted = new ShaderloomError("STORE.evicted", "gone");

describe("a layer that is ready is in its frame", () => {
  for (let seed = 1; seed <= 24; seed++) {
    test(`seed ${seed}`, async () => {
      const rng = seededRng(seed);
      const layers = Array.from({ length: 1 + rng.below(6) }, () => 256 * (1 + rng.below(4)));
      const troubled = seed % 3 === 0;
      const world = makeFeed({
        layers,
        frames: 1 + rng.below(3),
        staging: 2 + rng.below(6),
        readsAtOnce: 1 + rng.below(3),
        readMs: () => rng.below(3),
        mapMs: () => rng.below(4),
        outcome: () => (troubled && rng.below(12) === 0 ? evicted : true),
      });
      let failures = 0;
      for (let step = 0; step < 12; step++) {
        world.feed.begin();
        // Some steps are left before their end.
        const last = rng.below(4) === 0 ? rng.below(layers.length) : layers.length;
        try {
          for (let layer = 0; layer < last; layer++) {
            await world.feed.ready();
            expect(world.holds(layer), `step ${step}, layer ${layer}`).toBe(true);
            if (rng.below(2) === 0) await new Promise((resolve) => void setTimeout(resolve, rng.below(6)));
            expect(world.holds(layer), `step ${step}, layer ${layer}, later`).toBe(true);
            world.feed.submitted();
          }
        } catch (thrown) {
          if (thrown !== evicted) throw thrown;
          failures++;
        }
      }
      expect(failures > 0, "reads fail only where they are made to").toBe(troubled && failures > 0);
      // What failed is over: a step in peace.
      world.feed.close(evicted);
    });
  }
});

test("each layer is read once a step, and no further ahead than staging and frames reach", async () => {
  const world = makeFeed({ layers: [512, 512, 512, 512], frames: 1, staging: 2, readsAtOnce: 1, readMs: () => 0, mapMs: () => 0 });
  for (let step = 0; step < 5; step++) {
    world.feed.begin();
    for (let layer = 0; layer < 4; layer++) {
      await world.feed.ready();
      world.feed.submitted();
    }
  }
  await new Promise((resolve) => void setTimeout(resolve, 20));
  const { bytes } = world.feed.counters;
  // Five steps, and the next one's first layer, whose frame is free.
  expect(bytes).toBe(5 * 4 * 512 + 512);
  expect(world.reads()).toBe(5 * 8 + 2 + 2);
});

test("what is missing is repaired twice and then an error, and the next step tries again", async () => {
  let there = false;
  let repairs = 0;
  const repair = async (): Promise<void> => void repairs++;
  const world = makeFeed({
    layers: [512, 512],
    frames: 1,
    staging: 2,
    readsAtOnce: 1,
    readMs: () => 0,
    mapMs: () => 0,
    outcome: () => there,
    repair,
  });
  world.feed.begin();
  await expect(async () => world.feed.ready()).rejects.toMatchObject({ code: "STORE.evicted" });
  expect(repairs).toBe(2);
  there = true;
  world.feed.begin();
  await world.feed.ready();
  expect(world.holds(0)).toBe(true);
  world.feed.submitted();
  await world.feed.ready();
  expect(world.holds(1)).toBe(true);
});

test("a failure ahead does not end what is there already", async () => {
  let reads = 0;
  const world = makeFeed({
    layers: [512, 512],
    frames: 2,
    staging: 2,
    readsAtOnce: 1,
    readMs: () => 1,
    mapMs: () => 0,
    outcome: () => (++reads > 2 ? evicted : true),
  });
  world.feed.begin();
  await world.feed.ready();
  await new Promise((resolve) => void setTimeout(resolve, 20));
  expect(world.feed.ready()).toBeUndefined();
  expect(world.holds(0)).toBe(true);
  world.feed.submitted();
  await expect(async () => world.feed.ready()).rejects.toBe(evicted);
});

test("closing ends what waits, and what is asked for after", async () => {
  const world = makeFeed({ layers: [512], frames: 1, staging: 2, readsAtOnce: 1, readMs: () => 50, mapMs: () => 0 });
  world.feed.begin();
  const waiting = world.feed.ready();
  const error = new ShaderloomError("REQUEST.unloaded", "over");
  setTimeout(() => world.feed.close(error), 5);
  await expect(waiting).rejects.toBe(error);
  world.feed.begin();
  await expect(async () => world.feed.ready()).rejects.toBe(error);
});
