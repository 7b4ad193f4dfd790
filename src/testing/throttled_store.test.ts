// The rate of a throttled store is the stated one, and its troubles are what they are called: tests of streaming stand on both.

import { describe, expect, test } from "vitest";
import { noDiagnostics } from "../store/diagnostics.ts";
import { memoryStore } from "../store/memory.ts";
import type { ModelStore } from "../store/model_store.ts";
import type { StoredFile } from "../store/stored_file.ts";
import { sameBytes, seededBytes } from "./chunk_cases.ts";
import { openThrottledStore } from "./throttled_store.ts";

const chunk = 64 << 10;
const chunks = 16;
const bytes = seededBytes(chunks * chunk, 3);
const about = { url: "https://a.test/model", revision: "1", name: "model", bytes: bytes.length, sha256: null };

async function stored(store: ModelStore): Promise<StoredFile> {
  const file = await store.open(about, noDiagnostics());
  for (let index = 0; index < chunks; index++) await file.put(index, bytes.subarray(index * chunk, (index + 1) * chunk));
  await file.complete({ sha256: null, verified: false });
  return file;
}

describe("the rate", () => {
  const bytesPerSecond = 8e6;
  const least = (bytes.length / bytesPerSecond) * 1000 - 1;

  test.each([1, 4])("%d reads at once take the stated time, and no core meanwhile", async (atOnce) => {
    const { store, disk, counts } = openThrottledStore({}, memoryStore(), { chunkBytes: chunk });
    const file = await stored(store);
    disk.bytesPerSecond = bytesPerSecond;
    const indices = Array.from({ length: chunks }, (_, index) => index).values();
    const [start, before] = [performance.now(), process.cpuUsage()];
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (const index of indices) expect(await file.read(index)).toHaveLength(chunk);
      }),
    );
    const wall = performance.now() - start;
    const { user, system } = process.cpuUsage(before);
    expect(wall).toBeGreaterThan(least);
    expect(counts()).toEqual({ reads: chunks, bytesRead: bytes.length, puts: chunks, bytesPut: bytes.length });
    expect((user + system) / 1000).toBeLessThan(wall / 2);
  });

  test("a pause saves nothing up: reading and pausing in turns takes both times", async () => {
    const { store, disk } = openThrottledStore({}, memoryStore(), { chunkBytes: chunk });
    const file = await stored(store);
    disk.bytesPerSecond = bytesPerSecond;
    const start = performance.now();
    let paused = 0;
    for (let index = 0; index < chunks; index++) {
      await file.read(index);
      const pause = performance.now();
      await new Promise((resolve) => void setTimeout(resolve, 6));
      paused += performance.now() - pause;
    }
    expect(performance.now() - start - paused).toBeGreaterThan(least);
  });
});

describe("trouble", () => {
  test("what happens once is survived by reading again; what was lost or spoiled is noticed by the file over it, and the others are right", async () => {
    const { store, disk } = openThrottledStore({}, memoryStore(), { chunkBytes: chunk });
    const file = await stored(store);
    disk.trouble = ({ index, number }) => (index === 2 ? "lost" : index === 5 ? "spoiled" : number % 7 === 1 ? "flipped" : undefined);
    for (let index = 0; index < chunks; index++) {
      const read = await file.read(index);
      if (index === 2 || index === 5) expect(read).toBeUndefined();
      else expect(sameBytes(read, bytes.subarray(index * chunk, (index + 1) * chunk))).toBe(true);
    }
    expect(file.has(2) || file.has(5)).toBe(false);
    disk.trouble = undefined;
    for (const index of [2, 5]) {
      const own = bytes.subarray(index * chunk, (index + 1) * chunk);
      await file.put(index, own);
      expect(sameBytes(await file.read(index), own)).toBe(true);
    }
  });

  test("errors come through, silence stays silent, and a plan knows how many reads there were", async () => {
    const { store, disk } = openThrottledStore({}, memoryStore(), { chunkBytes: chunk });
    const file = await stored(store);
    disk.trouble = ({ number }) => (number === 2 ? new Error("the disk's own") : number === 3 ? "silent" : undefined);
    expect(await file.read(0)).toBeDefined();
    await expect(file.read(0)).rejects.toThrow("the disk's own");
    const waited = new Promise((resolve) => void setTimeout(resolve, 30, "silence"));
    expect(await Promise.race([file.read(0), waited])).toBe("silence");
  });

  test("a store that is cleared goes on and has nothing", async () => {
    const { store, clear } = openThrottledStore({}, memoryStore(), { chunkBytes: chunk });
    const file = await stored(store);
    await clear();
    expect(await file.read(0)).toBeUndefined();
    expect(await store.list()).toEqual([]);
  });
});
