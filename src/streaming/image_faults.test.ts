// What an image is when the store under it refuses, lies, dies or does not answer: right or absent, in time, and never wrong.
import { afterEach, describe, expect, test, vi } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import { memoryStore } from "../store/memory.ts";
import { type StoreFault, type StoreHalves, type StoreStep, Crashed, crashAt, crashes, faultyStore } from "../testing/faulty_store.ts";
import { build, idOf, imageOf, layerBytes, openImageShelf, planOf, readAll, storeModel } from "../testing/image_shelf.ts";
import { errorCode } from "../testing/typed_error.ts";

afterEach(() => {
  vi.useRealTimers();
});

function full(): ShaderloomError {
  return new ShaderloomError("QUOTA.full", "There is no room for a chunk. Free some.");
}

/** A store with a model in it, and from then on the faults of a plan. */
async function faultyShelf(plan: (step: StoreStep, id: string) => StoreFault | undefined) {
  const halves: StoreHalves = memoryStore();
  const model = await storeModel(openImageShelf(halves).tab());
  const id = await idOf(model.id);
  return { halves, model, id, shelf: openImageShelf(faultyStore(halves, (step) => plan(step, id))) };
}

function refusedFrom(first: number): (step: StoreStep, id: string) => StoreFault | undefined {
  let puts = 0;
  return ({ call, what }, id) => (call === "put" && what === id && ++puts > first ? { kind: "fail", error: full() } : undefined);
}

describe("a full store", () => {
  test("keeps what it took, and memory the rest", async () => {
    const { halves, model, shelf } = await faultyShelf(refusedFrom(2));
    const diagnostics = noDiagnostics();
    const image = await imageOf(shelf.tab(), model, { onFull: "memory", diagnostics });
    expect(image.tier).toBe("memory");
    await image.write(0, layerBytes(planOf(), 0));
    await build(image);
    expect([image.completed, image.missing(), await readAll(image)]).toEqual([true, [], []]);
    expect(diagnostics.quotaRefusals).toBe(1);
    image.close();
    const next = await imageOf(openImageShelf(halves).tab(), model);
    expect([next.completed, next.missing(), await readAll(next)]).toEqual([false, [1, 2], [1, 2]]);
    expect(await build(next)).toEqual([1, 2]);
    next.close();
  });

  test("lets others try once it has refused", async () => {
    const { halves, model, shelf } = await faultyShelf(refusedFrom(0));
    const image = await imageOf(shelf.tab(), model, { onFull: "memory" });
    const other = imageOf(shelf.tab(), model, { onFull: "memory" });
    await image.write(0, layerBytes(planOf(), 0));
    const second = await other;
    expect(second.missing()).toEqual([0, 1, 2]);
    second.close();
    image.close();
    expect((await openImageShelf(halves).tab().list())[0]?.imageBytes).toBe(0);
  });

  test("is an error where it was asked to be; what it took stays", async () => {
    const { model, shelf } = await faultyShelf(refusedFrom(2));
    const image = await imageOf(shelf.tab(), model);
    await image.write(0, layerBytes(planOf(), 0));
    expect(await errorCode(image.write(1, layerBytes(planOf(), 1)))).toBe("QUOTA.full");
    expect([image.missing(), await readAll(image)]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    image.close();
  });

  test("gives up older images of the model first, those in use excepted", async () => {
    const newer = planOf({ revision: "r2".padEnd(64, "0") });
    for (const used of [false, true]) {
      let room = true;
      const { halves, model, shelf } = await faultyShelf(({ call }) =>
        call === "put" && !room ? { kind: "fail", error: full() } : undefined,
      );
      const old = await imageOf(shelf.tab(), model);
      await build(old);
      if (!used) old.close();
      room = false;
      const remove = halves.chunks.delete.bind(halves.chunks);
      Object.assign(halves.chunks, { delete: async (file: string) => ((room = true), remove(file)) });
      const image = await imageOf(shelf.tab(), model, { plan: newer, onFull: "memory" });
      await build(image, newer);
      expect(await readAll(image, newer)).toEqual([]);
      const files = await halves.chunks.files();
      const stored = [await idOf(model.id), await idOf(model.id, newer)].map((id) => files.includes(id));
      expect(stored).toEqual([used, !used]);
      if (used) expect(await readAll(old)).toEqual([]);
      old.close();
      image.close();
    }
  });
});

describe("a full store", () => {
  for (const evict of [false, true]) {
    test(`${evict ? "deletes other models" : "keeps other models"} where evict is ${evict}`, async () => {
      let room = true;
      const { halves, model, shelf } = await faultyShelf(({ call }) =>
        call === "put" && !room ? { kind: "fail", error: full() } : undefined,
      );
      const other = await storeModel(shelf.tab(), "other.gguf");
      room = false;
      const remove = halves.chunks.delete.bind(halves.chunks);
      Object.assign(halves.chunks, { delete: async (file: string) => ((room = true), remove(file)) });
      const image = await imageOf(shelf.tab(), model, { onFull: "memory", evict });
      await build(image);
      expect(await readAll(image)).toEqual([]);
      expect(image.tier).toBe(evict ? halves.chunks.tier : "memory");
      const left = (await shelf.tab().list()).map(({ id }) => id);
      expect([left.includes(model.id), left.includes(other.id)]).toEqual([true, !evict]);
      image.close();
    });
  }
});

describe("a store that fails at any step", () => {
  test("of a build, with an error: the image goes on in memory", async () => {
    for (let number = 1; ; number++) {
      let steps = 0;
      let building = true;
      const { model, shelf } = await faultyShelf(() => {
        const error = new ShaderloomError("STORE.failed", "The store failed. Try again.");
        return building && ++steps === number ? { kind: "fail", error } : undefined;
      });
      const diagnostics = noDiagnostics();
      const image = await imageOf(shelf.tab(), model, { onFull: "memory", diagnostics });
      await build(image);
      building = false;
      expect([image.missing(), image.completed, await readAll(image)], `step ${number}`).toEqual([[], true, []]);
      image.close();
      if (steps < number) {
        expect(number).toBeGreaterThan(20);
        break;
      }
    }
  });

  test("of a build, by dying: the next visit finds right chunks only and completes them", async () => {
    for (const when of crashes) {
      for (let number = 1; ; number++) {
        const halves: StoreHalves = memoryStore();
        const model = await storeModel(openImageShelf(halves).tab());
        const dying = openImageShelf(faultyStore(halves, crashAt(number, when)));
        const died = await imageOf(dying.tab(), model)
          .then(build)
          .then(
            () => false,
            (thrown: unknown) => {
              if (thrown instanceof Crashed) return true;
              throw thrown;
            },
          );
        const models = openImageShelf(halves).tab();
        const entry = (await models.list()).find(({ id }) => id === model.id);
        expect([entry?.complete, entry?.storedBytes, entry?.files], `${when} ${number}`).toEqual([true, 3000, 2]);
        const image = await imageOf(models, model);
        const missing = image.missing();
        expect(await readAll(image), `${when} ${number}`).toEqual(missing);
        if (image.completed) expect(missing).toEqual([]);
        await build(image);
        expect(await readAll(image)).toEqual([]);
        image.close();
        if (!died) {
          expect(number).toBeGreaterThan(20);
          break;
        }
      }
    }
  });

  test("of writing chunks, by saying that it did: they are absent when they are read, and written again", async () => {
    let puts = 0;
    const { model, shelf } = await faultyShelf(({ call }) => (call === "put" && ++puts === 3 ? { kind: "lie" } : undefined));
    const image = await imageOf(shelf.tab(), model);
    await build(image);
    expect([await readAll(image), image.missing()]).toEqual([[1], [1]]);
    await image.write(1, layerBytes(planOf(), 1));
    expect(await readAll(image)).toEqual([]);
    image.close();
  });

  test("of opening, where that was asked for: an error", async () => {
    const error = new ShaderloomError("STORE.unavailable", "There is no store. Load without one.");
    const { model, shelf } = await faultyShelf(() => ({ kind: "fail", error }));
    expect(await errorCode(imageOf(shelf.tab(), model))).toBe("STORE.unavailable");
    const image = await imageOf(shelf.tab(), model, { onFull: "memory" });
    await build(image);
    expect([image.tier, await readAll(image)]).toEqual(["memory", []]);
    image.close();
  });
});

describe("reads", () => {
  test("that are never answered end", async () => {
    const { model, halves } = await faultyShelf(() => undefined);
    const image = await imageOf(openImageShelf(halves).tab(), model);
    await build(image);
    Object.assign(halves.chunks, { read: () => new Promise(() => undefined) });
    vi.useFakeTimers();
    const code = errorCode(image.read(0, 0, new Uint8Array(768)));
    await vi.advanceTimersByTimeAsync(31_000);
    expect(await code).toBe("STORE.lost");
    expect(image.missing()).toEqual([]);
  });

  test("into memory that is gone are no damage", async () => {
    const { model, halves } = await faultyShelf(() => undefined);
    for (const models of [openImageShelf(halves).tab(), undefined]) {
      const diagnostics = noDiagnostics();
      const image = await imageOf(models ?? openImageShelf(halves).tab(), model, { diagnostics, ...(models ? {} : { models: undefined }) });
      await build(image);
      const place = new Uint8Array(768);
      const reading = errorCode(image.read(0, 1, place));
      structuredClone(place.buffer, { transfer: [place.buffer] });
      expect([await reading, image.missing(), diagnostics.damagedChunks]).toEqual(["GPU.lost", [], 0]);
      expect(await readAll(image)).toEqual([]);
      image.close();
    }
  });
});
