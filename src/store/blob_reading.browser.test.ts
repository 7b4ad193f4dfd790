import { afterEach, describe, expect, test, vi } from "vitest";
import type { ReadingOrder } from "../testing/blob_reading_worker.ts";
import { sameBytes, seededBytes } from "../testing/chunk_cases.ts";
import { blobReader } from "./blob_reading.ts";
import { openIndexedDb } from "./indexeddb.ts";

const length = 1_500_000;

afterEach(() => vi.useRealTimers());

/** A Blob whose stream is another one. */
function blobWithStream(bytes: Uint8Array<ArrayBuffer>, stream: () => ReadableStream): Blob {
  const blob = new Blob([bytes]);
  Object.defineProperty(blob, "stream", { value: stream });
  return blob;
}

describe("a Blob's first bytes", () => {
  test("fill a place of its length and of less, and nothing beside it", async () => {
    const read = blobReader();
    const bytes = seededBytes(length, 1);
    const room = new Uint8Array(length + 20).fill(77);
    expect(await read(new Blob([bytes]), room.subarray(10, 10 + length))).toBe(true);
    expect(sameBytes(room.subarray(10, 10 + length), bytes)).toBe(true);
    expect([room[9], room[10 + length]]).toEqual([77, 77]);
    const short = new Uint8Array(700_001);
    expect(await read(new Blob([bytes]), short)).toBe(true);
    expect(sameBytes(short, bytes.slice(0, short.length))).toBe(true);
    expect(await read(new Blob([bytes]), new Uint8Array(0))).toBe(true);
  });

  test("are refused when there are fewer", async () => {
    expect(await blobReader()(new Blob([seededBytes(100, 2)]), new Uint8Array(101))).toBe(false);
  });

  test("of many Blobs at once do not mix", async () => {
    const read = blobReader();
    const places = await Promise.all(
      [...Array(12).keys()].map(async (seed) => {
        const place = new Uint8Array(length - seed);
        expect(await read(new Blob([seededBytes(length, seed)]), place)).toBe(true);
        return place;
      }),
    );
    for (const [seed, place] of places.entries()) expect(sameBytes(place, seededBytes(length, seed).subarray(0, length - seed))).toBe(true);
  });

  test("of a file that was deleted are refused", async () => {
    const root = await navigator.storage.getDirectory();
    const handle = await root.getFileHandle("gone", { create: true });
    const writable = await handle.createWritable();
    await writable.write(seededBytes(length, 3));
    await writable.close();
    const file = await handle.getFile();
    await root.removeEntry("gone");
    expect(await blobReader()(file, new Uint8Array(length))).toBe(false);
  });
});

describe("other streams", () => {
  test("a Blob without a byte stream is read whole", async () => {
    const bytes = seededBytes(length, 4);
    const place = new Uint8Array(length);
    expect(
      await blobReader()(
        blobWithStream(bytes, () => new ReadableStream()),
        place,
      ),
    ).toBe(true);
    expect(sameBytes(place, bytes)).toBe(true);
  });

  test("one that ends early or fails is not believed", async () => {
    const bytes = seededBytes(length, 5);
    const broken = [
      (controller: ReadableByteStreamController): void => {
        controller.enqueue(new Uint8Array(1000));
        controller.close();
      },
      (controller: ReadableByteStreamController): void => controller.error(new Error("broken")),
    ];
    for (const start of broken) {
      const place = new Uint8Array(length);
      expect(
        await blobReader()(
          blobWithStream(bytes, () => new ReadableStream({ type: "bytes", start })),
          place,
        ),
      ).toBe(true);
      expect(sameBytes(place, bytes)).toBe(true);
    }
  });

  test("one that stands still is given up", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const bytes = seededBytes(length, 6);
    const place = new Uint8Array(length);
    const reading = blobReader()(
      blobWithStream(bytes, () => new ReadableStream({ type: "bytes" })),
      place,
    );
    await vi.advanceTimersByTimeAsync(11_000);
    expect(await reading).toBe(true);
    expect(sameBytes(place, bytes)).toBe(true);
  });
});

// In a worker, where Chromium collects more eagerly: without the timer that keeps a stream alive this hangs in the first reads.
test("stored Blobs are read to their end, however much garbage there is", async () => {
  const database = `test-${crypto.randomUUID()}`;
  const { chunks } = await openIndexedDb(database);
  const order: ReadingOrder = { database, file: "d0".repeat(16), chunks: 16, length: 4 << 20, reads: 160 };
  const bytes = seededBytes(order.length, 7);
  for (let index = 0; index < order.chunks; index++) await chunks.put(order.file, index, bytes);
  const worker = new Worker(new URL("../testing/blob_reading_worker.ts", import.meta.url), { type: "module" });
  const right = await new Promise((resolve, reject) => {
    worker.addEventListener("message", ({ data }) => resolve(data));
    worker.addEventListener("error", ({ message }) => reject(new Error(message)));
    worker.postMessage(order, []);
  });
  expect(right).toBe(order.reads);
  worker.terminate();
  chunks.close();
  indexedDB.deleteDatabase(database);
});
