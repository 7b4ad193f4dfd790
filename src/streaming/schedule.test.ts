// The arithmetic of streaming: what a step takes, which layers stay, which spread is taken for a budget.
import { describe, expect, test } from "vitest";
import {
  asLayers,
  chooseSpread,
  leastBytes,
  leastStaging,
  type Rates,
  simulate,
  spreadBytes,
  spreadResident,
  type StreamShape,
} from "./schedule.ts";
import type { Section } from "./types.ts";

const chunkBytes = 1 << 16;

function shapeOf(layers: number, chunks = 8, maxBufferBytes = 1 << 30): StreamShape {
  const sections = Array.from({ length: layers }, (_, layer): Section => {
    const bytes = chunks * chunkBytes;
    return {
      layer,
      firstChunk: layer * chunks,
      chunks,
      bytes,
      slabs: new Map([
        [`blk.${layer}.a`, 0],
        [`blk.${layer}.b`, bytes / 2],
      ]),
    };
  });
  return { sections, chunkBytes, maxBufferBytes };
}

/** A layer is read in `readMs` and computed in `computeMs`. */
function ratesOf(shape: StreamShape, readMs: number, computeMs: number): Rates {
  return { read: shape.sections[0].bytes / readMs, copy: 1e12, toldMs: 0, computeMs: computeMs * shape.sections.length, headMs: 0 };
}

describe("a step", () => {
  const shape = shapeOf(16);
  const half = spreadResident(16, 8);

  test.each([
    ["reading takes longer", 10, 3, 80],
    ["computing takes longer", 3, 10, 160],
  ])("where %s, takes that", (_, readMs, computeMs, expected) => {
    const { stepMs, bytes } = simulate(shape, { resident: half, stagingChunks: 16 }, ratesOf(shape, readMs, computeMs));
    expect(stepMs).toBeGreaterThanOrEqual(expected * 0.999);
    expect(stepMs).toBeLessThan(expected * 1.02);
    expect(bytes).toBe(8 * 8 * chunkBytes);
  });

  test("takes both one after the other without a layer read ahead", () => {
    const all = spreadResident(16, 0);
    const rates = ratesOf(shape, 8, 8);
    const ahead = simulate(shape, { resident: all, stagingChunks: 8 }, rates).stepMs;
    const little = simulate(shape, { resident: all, stagingChunks: leastStaging }, rates).stepMs;
    expect(ahead).toBeLessThan(16 * 8 * 1.15);
    expect(little).toBeGreaterThan(16 * 8 * 1.5);
  });

  test("counts the head and the copies", () => {
    const rates = { ...ratesOf(shape, 1, 10), copy: chunkBytes / 1 };
    const { stepMs } = simulate(shape, { resident: half, stagingChunks: 16 }, { ...rates, computeMs: 160 + 40, headMs: 40 });
    // 16 layers, the head, and 8 chunks of 8 layers at a millisecond each, as the queue is in order.
    expect(stepMs).toBeCloseTo(160 + 40 + 64, 0);
  });
});

describe("layers that stay", () => {
  for (const layers of [1, 2, 3, 7, 16, 80]) {
    test(`of ${layers}`, () => {
      for (let count = 0; count < layers; count++) {
        const resident = spreadResident(layers, count);
        expect(resident.filter(Boolean), `${count}`).toHaveLength(count);
        if (count >= 1) expect(resident[0], "the first").toBe(true);
        if (count >= 2) expect(resident[layers - 1], "the last").toBe(true);
        const gaps = resident.map((stays) => (stays ? "r" : "s")).join("");
        const longest = Math.max(...(gaps.match(/s+/g) ?? [""]).map(({ length }) => length));
        expect(longest, gaps).toBeLessThanOrEqual(Math.ceil((layers - count) / Math.max(1, count - 1)) + (count < 2 ? layers : 1));
      }
    });
  }
});

describe("the choice", () => {
  const shape = shapeOf(16);
  const layer = shape.sections[0].bytes;

  test.each([1, 3, 8, 12, 15.9])("fits %d layers' room, and is no slower than with less", (layers) => {
    const rates = ratesOf(shape, 5, 5);
    const room = Math.max(leastBytes(shape), layers * layer);
    const choice = chooseSpread(shape, { bytes: room, frames: 2, readsAtOnce: 1 }, { rates });
    if (!choice) throw new Error("nothing fits");
    expect(spreadBytes(shape, choice)).toBeLessThanOrEqual(room);
    const more = chooseSpread(shape, { bytes: room + 2 * layer, frames: 2, readsAtOnce: 1 }, { rates });
    expect(more?.stepMs).toBeLessThanOrEqual(choice.stepMs * 1.01);
  });

  test("is none below the least, and one at it", () => {
    const rates = ratesOf(shape, 5, 5);
    const least = leastBytes(shape);
    expect(chooseSpread(shape, { bytes: least, frames: 2, readsAtOnce: 1 }, { rates })).toMatchObject({
      frames: 1,
      stagingChunks: leastStaging,
    });
    expect(chooseSpread(shape, { bytes: least - 1, frames: 2, readsAtOnce: 1 }, { rates })).toBeUndefined();
  });

  test("keeps more layers where reading is slow, and reads further ahead where it is not", () => {
    const room = { bytes: 8 * layer, frames: 1, readsAtOnce: 1 };
    const slow = chooseSpread(shape, room, { rates: ratesOf(shape, 50, 1) });
    const even = chooseSpread(shape, room, { rates: ratesOf(shape, 2, 1) });
    expect(slow?.resident.filter(Boolean).length).toBeGreaterThanOrEqual(even?.resident.filter(Boolean).length ?? 99);
    expect(asLayers(shape.sections, even?.stagingChunks ?? 0)).toBeGreaterThanOrEqual(0.5);
  });

  test("a wish is met as far as there is room", () => {
    const rates = ratesOf(shape, 5, 5);
    const wish = { residentLayers: 3, prefetchLayers: 2 };
    expect(chooseSpread(shape, { bytes: 9 * layer, frames: 1, readsAtOnce: 1 }, { rates, wish })).toMatchObject({
      stagingChunks: 16,
      frames: 1,
    });
    expect(chooseSpread(shape, { bytes: 9 * layer, frames: 1, readsAtOnce: 1 }, { rates, wish })?.resident.filter(Boolean)).toHaveLength(3);
    expect(chooseSpread(shape, { bytes: leastBytes(shape), frames: 1, readsAtOnce: 1 }, { rates, wish })?.stagingChunks).toBe(leastStaging);
  });
});
