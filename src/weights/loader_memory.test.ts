// Loading files of 256 MiB that are made while they are read: what the JS heap holds, how often a chunk is touched, what the source is told.

import { expect, test } from "vitest";
import type { LayoutPlan } from "../base/layout.ts";
import { formatByGgufType } from "../testing/formats.ts";
import { llamaLike } from "../testing/llama_like.ts";
import type { ByteRange, ByteSource } from "./byte_source.ts";
import { loadWeights } from "./loader.ts";

const MiB = 1 << 20;
const chunkBytes = 4 * MiB;

test("256 MiB of BF16 quantized while loading: at most 40 MiB of memory", { timeout: 120_000 }, async () => {
  const [rows, cols] = [16_384, 8192];
  const size = rows * cols * 2;
  const tensor = { name: "w", type: 2, shape: [rows, cols], offset: 0, bytes: size, stored: { type: 30 } };
  const bytes = (rows / 8) * (formatByGgufType.get(2)?.rowGroupBytes(cols) ?? Number.NaN);
  const part = { tensor: "w", rowStart: 0, rows, byteOffset: 0, bytes };
  const plan: LayoutPlan = { slabs: [{ name: "w", kind: "matrix", cols, ggufType: 2, bytes, parts: [part] }], bytes };
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const look = (): void => void (most = Math.max(most, process.memoryUsage().arrayBuffers - before));
  let uploaded = 0;
  const source: ByteSource = {
    name: "made while read",
    size,
    read: async (_, length, { into } = {}) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      look();
      return (into ?? new Uint8Array(length)).subarray(0, length).fill(0x3d);
    },
  };
  const upload = (_: string, __: number, { length }: Uint8Array): void => {
    uploaded += length;
    look();
  };
  const start = performance.now();
  await loadWeights({ source, tensors: new Map([["w", tensor]]), plan, formats: formatByGgufType, upload });
  const seconds = (performance.now() - start) / 1000;
  console.info(`${((rows * cols) / seconds / 1e6).toFixed(0)} M weights/s, ${(most / MiB).toFixed(1)} MiB of buffers at most`);
  expect(uploaded).toBe(bytes);
  expect(most).toBeLessThan(40 * MiB);
});

test("256 MiB: every chunk touched once, at most 40 MiB of memory", { timeout: 120_000 }, async () => {
  const { tensors, plan, size } = llamaLike({ layers: 6, hidden: 2048, intermediate: 5632, vocab: 27_000 });
  expect(size / MiB).toBeGreaterThanOrEqual(256);
  const touches = new Map<number, number>();
  const expected: ByteRange[] = [];
  const read: ByteRange[] = [];
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  const look = (): void => void (most = Math.max(most, process.memoryUsage().arrayBuffers - before));
  let withoutRoom = 0;
  const source: ByteSource = {
    name: "made while read",
    size,
    expect: (ranges) => void expected.push(...ranges),
    read: async (offset, length, { into } = {}) => {
      for (let chunk = Math.floor(offset / chunkBytes); chunk * chunkBytes < offset + length; chunk++)
        touches.set(chunk, (touches.get(chunk) ?? 0) + 1);
      read.push({ offset, length });
      await new Promise((resolve) => setTimeout(resolve, 1));
      look();
      if (into === undefined || into.length < length) withoutRoom++;
      return (into ?? new Uint8Array(length)).subarray(0, length).fill(0);
    },
  };
  const uploaded = new Map<string, number>();
  let writes = 0;
  const upload = (slab: string, byteOffset: number, bytes: Uint8Array): void => {
    writes++;
    uploaded.set(slab, Math.max(uploaded.get(slab) ?? 0, byteOffset + bytes.length));
    look();
  };
  const start = performance.now();
  await loadWeights({ source, tensors, plan, formats: formatByGgufType, upload });
  const seconds = (performance.now() - start) / 1000;
  const loads = [...touches.values()].reduce((sum, count) => sum + count, 0);
  console.info(
    `${(size / MiB).toFixed(0)} MiB in ${seconds.toFixed(1)} s: ${loads} loads of ${Math.ceil(size / chunkBytes)} chunks, ` +
      `${writes} uploads, ${(most / MiB).toFixed(1)} MiB of buffers at most`,
  );
  expect(withoutRoom).toBe(0);
  expect(loads).toBe(Math.ceil(size / chunkBytes));
  expect(read).toEqual(expected);
  expect(most).toBeLessThan(40 * MiB);
  for (const { name, bytes } of plan.slabs) expect(bytes - (uploaded.get(name) ?? 0), name).toBeLessThan(256);
});
