// The stamped clock against a device whose time is made up: stamps that are rounded, dispatches that cost what the test says.

import { expect, test } from "vitest";
import { BufferLedger } from "../gpu/buffers.ts";
import { openStepClock, type StepClock, type TimedDispatch } from "./profile_timing.ts";

/** The part of a device that timing uses. `now` counts nanoseconds of the GPU. */
function fakeDevice(quantum: bigint): { device: GPUDevice; run: (nanoseconds: number) => void; submits: () => number } {
  let now = 987_654_321n;
  let submits = 0;
  let stamps = new BigUint64Array(0);
  const stamp = (index: number): void => {
    stamps[index] = (now / quantum) * quantum;
  };
  const createCommandEncoder = (): unknown => ({
    beginComputePass({ timestampWrites }: { timestampWrites: { beginningOfPassWriteIndex: number; endOfPassWriteIndex: number } }) {
      stamp(timestampWrites.beginningOfPassWriteIndex);
      return { end: () => stamp(timestampWrites.endOfPassWriteIndex) };
    },
    resolveQuerySet: () => undefined,
    copyBufferToBuffer: () => undefined,
    finish: () => undefined,
  });
  const device = {
    features: new Set(["timestamp-query"]),
    createQuerySet({ count }: { count: number }) {
      stamps = new BigUint64Array(count);
      return { destroy: () => undefined };
    },
    createBuffer: () => ({
      destroy: () => undefined,
      mapAsync: async () => undefined,
      getMappedRange: (start: number, bytes: number) => stamps.buffer.slice(start, start + bytes),
      unmap: () => undefined,
    }),
    createCommandEncoder,
    queue: { submit: () => void submits++ },
  };
  return { device: device as unknown as GPUDevice, run: (nanoseconds) => void (now += BigInt(nanoseconds)), submits: () => submits };
}

async function openClock({ device }: { device: GPUDevice }, signal?: AbortSignal): Promise<StepClock> {
  return openStepClock({ device, signal, check: () => undefined }, new BufferLedger(device));
}

/** A dispatch of so many nanoseconds, in a pass that takes 1,499 by itself. */
function dispatchOf(run: (nanoseconds: number) => void, cost: number): TimedDispatch {
  const encode = (_: GPUComputePassEncoder, repeats: number): void => run(1499 + cost * repeats);
  return { encode, class: String(cost), moves: false };
}

const costs = [907, 7001, 65_003, 480_013, 3_000_017];

test.each([1n, 40n, 65_536n, 100_000n])("times are right to a tenth when stamps count in steps of %d ns", async (quantum) => {
  const fake = fakeDevice(quantum);
  const clock = await openClock(fake);
  const prepared: number[] = [];
  const step = { dispatches: costs.map((cost) => dispatchOf(fake.run, cost)), prepare: () => void prepared.push(fake.submits()) };
  const { each, totalMs } = await clock.time(step);
  for (const [index, cost] of costs.entries()) expect(Math.abs((each[index] * 1e6) / cost - 1), `${cost} ns`).toBeLessThan(0.11);
  const total = costs.reduce((sum, cost) => sum + cost + 1499, 0);
  expect(Math.abs((totalMs * 1e6) / total - 1)).toBeLessThan(0.05);
  expect(clock).toMatchObject({ timestamps: true, quantumMs: Number(quantum) / 1e6 });
  // Each whole step and each round begins with a state of its own.
  expect(prepared.length).toBeGreaterThan(7);
});

test("many dispatches are cut into submits, between which an abort takes effect", async () => {
  const fake = fakeDevice(65_536n);
  const stop = new AbortController();
  const clock = await openClock(fake, stop.signal);
  const dispatches = Array.from({ length: 300 }, () => dispatchOf(fake.run, 700_000));
  await clock.time({ dispatches, prepare: () => undefined });
  const whole = fake.submits();
  expect(whole).toBeGreaterThan(30);
  dispatches[150] = { ...dispatches[150], encode: () => stop.abort() };
  await expect(clock.time({ dispatches, prepare: () => undefined })).rejects.toMatchObject({ code: "AbortError" });
  expect(fake.submits() - whole).toBeLessThan(3);
});
