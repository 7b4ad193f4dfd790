// Images in a browser's storage: in the database from the page, in the private file system from a worker.
import { afterEach, describe, expect, test, vi } from "vitest";
import { openIndexedDb } from "../store/indexeddb.ts";
import { imageCases } from "../testing/image_cases.ts";
import { imageOf, openImageShelf, planOf } from "../testing/image_shelf.ts";
import type { ImageAnswer, ImageOrder } from "../testing/image_worker.ts";
import { readMapped } from "../testing/mapped_reads.ts";

const workers = new Set<Worker>();
const places = new Set<string>();

function newPlace(): string {
  const place = `test-${crypto.randomUUID()}`;
  places.add(place);
  return place;
}

async function inWorker(name: string, place: string = newPlace()): Promise<unknown> {
  const worker = new Worker(new URL("../testing/image_worker.ts", import.meta.url), { type: "module" });
  workers.add(worker);
  const answer = await new Promise<ImageAnswer>((resolve, reject) => {
    worker.addEventListener("message", ({ data }: MessageEvent<ImageAnswer>) => resolve(data));
    worker.addEventListener("error", ({ message }) => reject(new Error(`the worker failed: ${message}`)));
    const order: ImageOrder = { place, name };
    worker.postMessage(order, []);
  });
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

afterEach(async () => {
  for (const worker of workers) worker.terminate();
  workers.clear();
  const root = await navigator.storage.getDirectory();
  for (const place of places) {
    const remove = (): Promise<void> => root.removeEntry(place, { recursive: true });
    await vi.waitFor(() => remove().catch((error: Error) => (error.name === "NotFoundError" ? undefined : Promise.reject(error))), 3000);
    indexedDB.deleteDatabase(place);
  }
  places.clear();
});

describe("an image in the database", () => {
  for (const [title, run] of Object.entries(imageCases)) {
    test(title, async () => {
      const { keyValue, chunks } = await openIndexedDb(newPlace());
      await run(openImageShelf({ keyValue, chunks }));
      chunks.close();
    });
  }

  test("reads into mapped GPU memory", async ({ skip }) => {
    if ((await navigator.gpu.requestAdapter()) === null) skip("this browser has no WebGPU adapter");
    const { keyValue, chunks } = await openIndexedDb(newPlace());
    const plan = planOf({ chunks: 3, chunkBytes: 65_536 });
    const image = await imageOf(openImageShelf({ keyValue, chunks }).tab(), { id: "ab".repeat(16), name: "model" }, { plan });
    await readMapped(navigator.gpu, image);
    expect([image.tier, image.readsAtOnce]).toEqual(["indexeddb", 3]);
    chunks.close();
  });
});

describe("an image in the private file system, in a worker", () => {
  for (const title of Object.keys(imageCases)) {
    test(title, async () => {
      await inWorker(title);
    });
  }
  for (const title of ["takes no more room than its bytes", "whose folder a person deletes has nothing and takes it again"]) {
    test(title, async () => {
      await inWorker(title);
    });
  }

  test("is written once by three who want it at the same time", async () => {
    const place = newPlace();
    const written = await Promise.all([1, 2, 3].map(() => inWorker("builds beside another", place)));
    expect(written.map(Number).toSorted((a, b) => a - b)).toEqual([0, 0, 12]);
  });

  test("reads into mapped GPU memory", async ({ skip }) => {
    if ((await navigator.gpu.requestAdapter()) === null) skip("this browser has no WebGPU adapter");
    await inWorker("reads into mapped GPU memory");
  });
});
