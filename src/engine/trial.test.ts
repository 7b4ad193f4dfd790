// The trial against made-up devices that have so much memory and no more.

import { expect, test } from "vitest";
import { errorCode } from "../testing/typed_error.ts";
import { takeMemory } from "./trial.ts";

interface FakeDevice {
  readonly device: GPUDevice;
  /** Bytes that were given and not given back. */
  held(): number;
  readonly largest: () => number;
}

function deviceOf(memory: number, { losesItself = false } = {}): FakeDevice {
  let held = 0;
  let largest = 0;
  let refused = false;
  let lose: ((info: GPUDeviceLostInfo) => void) | undefined;
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = resolve;
  });
  const device = {
    lost,
    pushErrorScope: () => undefined,
    popErrorScope: async () => {
      const error = refused ? { message: "out of memory" } : null;
      refused = false;
      return error;
    },
    createBuffer: ({ size }: GPUBufferDescriptor) => {
      largest = Math.max(largest, size);
      const given = held + size <= memory;
      if (given) held += size;
      else refused = true;
      if (!given && losesItself) lose?.({ reason: "unknown", message: "" } as GPUDeviceLostInfo);
      return { destroy: () => void (held -= given ? size : 0) };
    },
  };
  return { device: device as unknown as GPUDevice, held: () => held, largest: () => largest };
}

const gibibyte = 2 ** 30;

test("it gives what there is, to a few MiB, and keeps nothing", async () => {
  for (const memory of [0, 100e6, gibibyte, 3.3e9, 7e9]) {
    const fake = deviceOf(memory);
    const given = await takeMemory(fake.device, { wantedBytes: 6e9, maxBufferBytes: 2 ** 31 });
    expect(given).toBeLessThanOrEqual(Math.min(memory, 6e9));
    expect(given).toBeGreaterThan(Math.min(memory, 6e9) - (16 << 20));
    expect(fake.held()).toBe(0);
  }
});

test("no piece is larger than a buffer may be, nor all of them than was wanted", async () => {
  const fake = deviceOf(1e12);
  expect(await takeMemory(fake.device, { wantedBytes: 1e9 + 1, maxBufferBytes: 1 << 28 })).toBe(1e9 + 1);
  expect(fake.largest()).toBe(1 << 28);
  expect(await takeMemory(fake.device, { wantedBytes: 4321, maxBufferBytes: 1 << 28 })).toBe(4321);
});

test("a device that is lost over it has given what it gave before", async () => {
  const fake = deviceOf(2.5 * gibibyte, { losesItself: true });
  expect(await takeMemory(fake.device, { wantedBytes: 8 * gibibyte, maxBufferBytes: gibibyte })).toBe(2 * gibibyte);
  expect(fake.held()).toBe(0);
});

test("an abort ends it, with everything given back", async () => {
  const fake = deviceOf(1e12);
  const stop = new AbortController();
  const trial = takeMemory(fake.device, { wantedBytes: 1e11, maxBufferBytes: gibibyte, signal: stop.signal });
  stop.abort();
  expect(await errorCode(trial)).toBe("AbortError");
  expect(fake.held()).toBe(0);
});
