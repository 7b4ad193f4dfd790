// The process dies at every step of everything the store does, in every way it can. The next visit then must find nothing claimed
// that is not so, and nothing lost that was claimed and not being deleted.
import { describe, expect, test } from "vitest";
import { Crashed, type StoreHalves, crashAt, crashes, faultyStore } from "../testing/faulty_store.ts";
import { chunksOf, download, expectHonest, openSmallStore, smallChunk, testFile } from "../testing/small_store.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { fileId } from "./manifest.ts";
import { memoryStore } from "./memory.ts";
import type { ModelStore } from "./model_store.ts";

const model = testFile("https://host.test/model.gguf");
const other = testFile("https://host.test/other.gguf", { bytes: 2 * smallChunk });
const id = await fileId(model.about);

interface Scenario {
  /** What is there before, made without faults. */
  readonly before?: (store: ModelStore, halves: StoreHalves) => Promise<unknown>;
  readonly work: (store: ModelStore, done: Set<number>) => Promise<unknown>;
  /** Looks at what is found after the crash; `done` holds the chunks that were claimed before it. */
  readonly after: (store: ModelStore, done: ReadonlySet<number>) => Promise<unknown>;
  /** More steps than the work takes. */
  readonly steps: number;
}

/** @returns how many crashes there were */
async function crashEverywhere({ before, work, after, steps }: Scenario): Promise<number> {
  let count = 0;
  for (const when of crashes) {
    for (let number = 1; ; number++) {
      expect(number, "the work never ends").toBeLessThan(steps);
      const halves = memoryStore();
      await before?.(openSmallStore(halves), halves);
      const done = new Set<number>();
      const faulty = faultyStore(halves, crashAt(number, when));
      const crashed = await work(openSmallStore(faulty), done).then(
        () => false,
        (thrown: unknown) => {
          if (!(thrown instanceof Crashed)) throw thrown;
          return true;
        },
      );
      // Twice, since the first visit after a crash repairs things.
      await after(openSmallStore(halves), done);
      await after(openSmallStore(halves), done);
      if (!crashed) break;
      count++;
    }
  }
  return count;
}

/** The other model is whole; the model is honest, and of what was claimed nothing is lost. */
async function expectKept(store: ModelStore, done: ReadonlySet<number>): Promise<number[]> {
  const found = await store.find(model.about.url);
  const file = await store.open(model.about, noDiagnostics());
  expect(found[0] === undefined || found[0].state === file.manifest.state).toBe(true);
  const claimed = await expectHonest(file, model.bytes);
  expect([...done].filter((index) => !claimed.includes(index))).toEqual([]);
  return claimed;
}

async function expectOther(store: ModelStore): Promise<void> {
  const listed = (await store.list()).find(({ location }) => location === other.about.url);
  expect([listed?.complete, listed?.storedBytes]).toEqual([true, other.about.bytes]);
  const file = await store.open(other.about, noDiagnostics());
  expect(await expectHonest(file, other.bytes)).toEqual([0, 1]);
}

describe("a process that dies", () => {
  test("rows 45, 46: at every step of a download", async () => {
    const crashed = await crashEverywhere({
      steps: 60,
      work: (store, done) => download(store, model, { onPut: (index) => done.add(index) }),
      after: async (store, done) => {
        await expectKept(store, done);
        const refetched: number[] = [];
        const file = await download(store, model, { onPut: (index) => refetched.push(index) });
        expect(refetched.filter((index) => done.has(index))).toEqual([]);
        expect(await expectHonest(file, model.bytes)).toEqual([0, 1, 2, 3]);
      },
    });
    expect(crashed).toBeGreaterThan(40);
  });

  test("with several chunks being put at once", async () => {
    await crashEverywhere({
      steps: 60,
      work: async (store, done) => {
        const file = await store.open(model.about, noDiagnostics());
        const puts = chunksOf(model.bytes).map(async (bytes, index) => {
          await file.put(index, bytes);
          done.add(index);
        });
        const failed = (await Promise.allSettled(puts)).find((one) => one.status === "rejected");
        if (failed !== undefined) throw failed.reason;
        await file.complete({ sha256: null, verified: false });
      },
      after: expectKept,
    });
  });

  test("at every step of mending a damaged chunk of a complete file", async () => {
    await crashEverywhere({
      steps: 60,
      before: async (store, { chunks }) => {
        await download(store, model);
        await chunks.put(id, 2, new Uint8Array(smallChunk));
      },
      work: async (store) => {
        const file = await store.open(model.about, noDiagnostics());
        for (const index of [0, 1, 2, 3]) await file.read(index);
        await file.put(2, chunksOf(model.bytes)[2] ?? new Uint8Array());
        await file.complete({ sha256: null, verified: false });
      },
      after: async (store) => {
        // The damage itself may still be undiscovered; what must not be is a claim that a read confirms wrongly.
        const file = await store.open(model.about, noDiagnostics());
        await file.read(2);
        const claimed = await expectHonest(file, model.bytes);
        expect([0, 1, 3].filter((index) => !claimed.includes(index))).toEqual([]);
      },
    });
  });

  test("at every step of replacing a chunk by another", async () => {
    await crashEverywhere({
      steps: 60,
      before: (store) => download(store, model),
      work: async (store) => {
        const file = await store.open(model.about, noDiagnostics());
        await file.put(1, chunksOf(model.bytes)[0] ?? new Uint8Array());
      },
      after: async (store) => {
        const file = await store.open(model.about, noDiagnostics());
        for (const index of [0, 1, 2, 3].filter((one) => file.has(one))) expect(await file.read(index), `chunk ${index}`).toBeDefined();
        expect([0, 2, 3].every((index) => file.has(index))).toBe(true);
      },
    });
  });

  test("at every step of clearing a file that was found wrong", async () => {
    await crashEverywhere({
      steps: 60,
      before: (store) => download(store, model),
      work: async (store) => (await store.open(model.about, noDiagnostics())).clear(),
      after: (store) => expectKept(store, new Set()),
    });
  });

  test("at every step of a deletion: the model is there or can be deleted again, and leaves nothing", async () => {
    let halves: StoreHalves | undefined;
    await crashEverywhere({
      steps: 60,
      before: async (store, made) => {
        halves = made;
        await download(store, model);
        await download(store, other);
        await store.touch(id);
      },
      work: (store) => store.delete(id),
      after: async (store) => {
        await expectOther(store);
        const [found] = await store.find(model.about.url);
        if (found !== undefined) {
          const listed = (await store.list()).find((one) => one.id === id);
          expect(found.state).toBe(listed?.complete ? "complete" : "partial");
          if (listed?.complete) await expectHonest(await store.open(model.about, noDiagnostics()), model.bytes);
          await store.delete(id);
        }
        const keys = (await halves?.keyValue.keys("")) ?? [];
        expect(keys.filter((key) => key.includes(id) && !key.startsWith("used/"))).toEqual([]);
        expect(await halves?.chunks.files()).toEqual([await fileId(other.about)]);
      },
    });
  });

  test("at every step of an eviction: the kept model is untouched", async () => {
    await crashEverywhere({
      steps: 80,
      before: async (store) => {
        await download(store, model);
        await download(store, other);
      },
      work: async (store) => store.evict(1, await fileId(other.about)),
      after: async (store) => {
        await expectOther(store);
        await expectHonest(await store.open(model.about, noDiagnostics()), model.bytes);
      },
    });
  });

  test("at every step of making a damaged manifest anew", async () => {
    await crashEverywhere({
      steps: 60,
      before: async (store, { keyValue }) => {
        await download(store, model);
        await keyValue.set([[`manifest/${id}`, "nonsense"]]);
      },
      work: (store, done) => download(store, model, { onPut: (index) => done.add(index) }),
      after: async (store, done) => {
        expect(done.size).toBe(0);
        const file = await store.open(model.about, noDiagnostics());
        expect(await expectHonest(file, model.bytes)).toEqual([0, 1, 2, 3]);
      },
    });
  });
});
