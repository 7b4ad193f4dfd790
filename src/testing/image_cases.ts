// What an image of weights must do in every tier. Plain functions that throw, without a test framework, because OPFS has to be
// tried inside a worker; image.test.ts and image.browser.test.ts make tests of them.
import { noDiagnostics } from "../store/diagnostics.ts";
import { chunkKey, manifestKey } from "../store/manifest.ts";
import type { ImagePlan } from "../streaming/types.ts";
import { check, same, sameBytes } from "./chunk_cases.ts";
import { type ImageShelf, build, damage, idOf, imageOf, layerBytes, listed, planOf, readAll, storeModel } from "./image_shelf.ts";
import { errorCode } from "./typed_error.ts";

const other = (): ImagePlan => planOf({ revision: "r2".padEnd(64, "0") });

/** Each is given an empty store. */
export const imageCases: Readonly<Record<string, (shelf: ImageShelf) => Promise<void>>> = {
  "reads what was written, into the place it is given": async ({ halves, tab }) => {
    const models = tab();
    const image = await imageOf(models, await storeModel(models));
    same([image.missing(), image.completed, image.tier], [[0, 1, 2], false, halves.chunks.tier]);
    same(await build(image), [0, 1, 2]);
    same([image.missing(), image.completed, await readAll(image)], [[], true, []]);
    const wide = new Uint8Array(3 * planOf().chunkBytes).fill(77);
    check(await image.read(1, 1, wide.subarray(768, 1536)), "a chunk is not there");
    check(sameBytes(wide.subarray(768, 1536), layerBytes(planOf(), 1).subarray(768)), "other bytes in the place given");
    same([wide[767], wide[1536]], [77, 77]);
    image.close();
  },

  "is complete for the next, and goes on where it was interrupted": async ({ tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const first = await imageOf(models, model);
    await first.write(1, layerBytes(planOf(), 1));
    first.close();
    const second = await imageOf(tab(), model);
    same([second.missing(), second.completed, await readAll(second)], [[0, 2], false, [0, 2]]);
    await second.write(0, layerBytes(planOf(), 0));
    same(await errorCode(second.complete()), "STORE.evicted");
    same(await build(second), [2]);
    second.close();
    const third = await imageOf(tab(), model);
    same([third.missing(), third.completed, await readAll(third)], [[], true, []]);
    third.close();
  },

  "that nobody vouched for is there and not complete": async ({ tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const first = await imageOf(models, model);
    for (const section of [0, 1, 2]) await first.write(section, layerBytes(planOf(), section));
    first.close();
    const second = await imageOf(tab(), model);
    same([second.missing(), second.completed], [[], false]);
    same(await build(second), []);
    same(second.completed, true);
    second.close();
  },

  "that is found to be made of wrong bytes is forgotten": async ({ tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const image = await imageOf(models, model);
    for (const section of [0, 1, 2]) await image.write(section, layerBytes(planOf(), 2 - section));
    await image.clear();
    same(
      [image.missing(), await readAll(image)],
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
    );
    same(await build(image), [0, 1, 2]);
    image.close();
    const next = await imageOf(tab(), model);
    same([next.completed, await readAll(next)], [true, []]);
    await next.clear();
    same([next.completed, next.missing()], [false, [0, 1, 2]]);
    next.close();
    const last = await imageOf(tab(), model);
    same([last.completed, last.missing()], [false, [0, 1, 2]]);
    last.close();
  },

  "a damaged chunk is not there, and its section is written again": async (shelf) => {
    const models = shelf.tab();
    const model = await storeModel(models);
    await build(await imageOf(models, model));
    await damage(shelf, await idOf(model.id), 3);
    const diagnostics = noDiagnostics();
    const image = await imageOf(shelf.tab(), model, { diagnostics });
    same([image.missing(), await readAll(image), image.missing(), diagnostics.damagedChunks], [[], [1], [1], 1]);
    await image.write(1, layerBytes(planOf(), 1));
    same([image.missing(), await readAll(image)], [[], []]);
    image.close();
    const next = await imageOf(shelf.tab(), model);
    same([next.completed, await readAll(next)], [true, []]);
    next.close();
  },

  "one that is repaired with other bytes than it had is given up, and made anew by the next": async (shelf) => {
    const models = shelf.tab();
    const model = await storeModel(models);
    await build(await imageOf(models, model));
    await damage(shelf, await idOf(model.id), 3);
    const image = await imageOf(shelf.tab(), model);
    same(await readAll(image), [1]);
    const wrong = layerBytes(planOf(), 1);
    wrong[1000] = (wrong[1000] ?? 0) ^ 1;
    same(await errorCode(image.write(1, wrong)), "INTEGRITY.image");
    const calls = [image.read(0, 0, new Uint8Array(768)), image.write(1, layerBytes(planOf(), 1)), image.complete()];
    for (const call of calls) same(await errorCode(call), "INTEGRITY.image");
    image.close();
    const next = await imageOf(shelf.tab(), model);
    same([next.completed, await build(next), await readAll(next)], [false, [0, 1, 2], []]);
    next.close();
  },

  "whose manifest is damaged is not evicted from under its reader": async ({ halves, tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const image = await imageOf(models, model);
    await build(image);
    await halves.keyValue.set([[manifestKey(await idOf(model.id)), "damaged"]]);
    same([await tab().evict(1e9, model.id), await readAll(image)], [0, []]);
    same(await errorCode(tab().delete(await idOf(model.id))), "STORE.busy");
    image.close();
    same(await tab().evict(1e9, model.id), 4608);
    same((await listed(models, model.id))?.storedBytes, 3000);
  },

  "a record or a manifest that is damaged costs a chunk or nothing, and the model stays whole": async ({ halves, tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const id = await idOf(model.id);
    for (const [key, lost] of [
      [chunkKey(id, 2), [1]],
      [manifestKey(id), []],
    ] as const) {
      const first = await imageOf(models, model);
      await build(first);
      first.close();
      await halves.keyValue.set([[key, "damaged"]]);
      const entry = await listed(models, model.id);
      same([entry?.complete, entry?.files, entry?.bytes, entry?.storedBytes], [true, 2, 3000, 3000]);
      const image = await imageOf(tab(), model);
      same([image.missing(), await readAll(image)], [lost, lost]);
      await build(image);
      image.close();
    }
  },

  "a store that is cleared under it has nothing, and takes it again": async ({ halves, tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const image = await imageOf(models, model);
    await build(image);
    await halves.keyValue.delete(await halves.keyValue.keys(""));
    for (const file of await halves.chunks.files()) await halves.chunks.delete(file);
    same(
      [await readAll(image), image.missing()],
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
    );
    for (const section of [0, 1, 2]) await image.write(section, layerBytes(planOf(), section));
    same([await readAll(image), image.missing()], [[], []]);
    image.close();
    const next = await imageOf(tab(), model);
    same([next.completed, await readAll(next)], [true, []]);
    next.close();
  },

  "one that is cleared while it is written is not called complete": async ({ halves, tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const image = await imageOf(models, model);
    for (const section of [0, 1]) await image.write(section, layerBytes(planOf(), section));
    await halves.keyValue.delete(await halves.keyValue.keys(""));
    for (const file of await halves.chunks.files()) await halves.chunks.delete(file);
    await image.write(2, layerBytes(planOf(), 2));
    same([await errorCode(image.complete()), image.missing(), image.completed], ["STORE.evicted", [0, 1], false]);
    same(await build(image), [0, 1]);
    image.close();
    const next = await imageOf(tab(), model);
    same([next.completed, await readAll(next)], [true, []]);
    next.close();
  },

  "older ones of a model go when the new one is complete, unless they are in use": async ({ halves, tab }) => {
    const models = tab();
    const [model, another] = [await storeModel(models), await storeModel(models, "another.gguf")];
    for (const one of [model, another]) {
      const image = await imageOf(models, one);
      await build(image);
      if (one === another) image.close();
      else {
        // In use.
        const newer = await imageOf(tab(), one, { plan: other() });
        await build(newer, other());
        same(await readAll(image), []);
        newer.close();
        image.close();
      }
    }
    same([(await listed(models, model.id))?.imageBytes, (await listed(models, another.id))?.imageBytes], [2 * 4608, 4608]);
    const third = planOf({ revision: "r3".padEnd(64, "0") });
    const image = await imageOf(tab(), model, { plan: third });
    await build(image, third);
    same([(await listed(models, model.id))?.imageBytes, (await listed(models, another.id))?.imageBytes], [4608, 4608]);
    same((await halves.chunks.files()).includes(await idOf(model.id)), false);
    same(await readAll(image, third), []);
    image.close();
  },

  "of two who would write it one waits, and finds it done or goes on": async ({ tab }) => {
    const models = tab();
    const model = await storeModel(models);
    for (const ends of ["complete", "close"] as const) {
      await models.deleteImages(model.id);
      const first = await imageOf(models, model);
      let opened = false;
      const second = imageOf(tab(), model).then((image) => {
        opened = true;
        return image;
      });
      await first.write(0, layerBytes(planOf(), 0));
      await new Promise((resolve) => setTimeout(resolve, 20));
      same(opened, false);
      const abort = new AbortController();
      const third = errorCode(imageOf(tab(), model, { signal: abort.signal }));
      abort.abort();
      same(await third, "AbortError");
      if (ends === "complete") await build(first);
      else first.close();
      const image = await second;
      same([image.completed, image.missing()], ends === "complete" ? [true, []] : [false, [1, 2]]);
      await build(image);
      same(await readAll(image), []);
      first.close();
      image.close();
    }
  },

  "is listed, checked and deleted with its model, and is no file of it": async (shelf) => {
    const models = shelf.tab();
    const model = await storeModel(models);
    const before = await listed(models, model.id);
    const image = await imageOf(models, model);
    await image.write(0, layerBytes(planOf(), 0));
    const partial = await listed(models, model.id);
    same({ ...partial, usedAt: 0 }, { ...before, usedAt: 0, imageBytes: 2 * 768 });
    await build(image);
    same((await models.filesOf(model.id)).length, 2);
    same(await models.verify(model.id), { chunks: 10, damaged: 0 });
    await damage(shelf, await idOf(model.id), 4);
    same(await models.verify(model.id), { chunks: 10, damaged: 1 });
    same(await readAll(image), [2]);
    same(await listed(models, model.id), { ...(await listed(models, model.id)), complete: true, storedBytes: 3000 });
    same(await errorCode(models.delete(model.id)), "STORE.busy");
    image.close();
    await models.delete(model.id);
    same([await models.list(), await shelf.halves.chunks.files(), await shelf.halves.keyValue.keys("")], [[], [], []]);
  },

  "is evicted with its model, whose use guards it": async ({ halves, tab }) => {
    const models = tab();
    const model = await storeModel(models);
    const image = await imageOf(models, model);
    await build(image);
    image.close();
    const use = await models.holdModel(model.id);
    same(await models.evict(1, ""), 0);
    use.release();
    same(await models.evict(1, model.id), 0);
    same(await models.evict(1, ""), 3000 + 4608);
    same([await models.list(), await halves.chunks.files()], [[], []]);
  },

  "without its model it is an entry that can be deleted": async ({ halves, tab }) => {
    const models = tab();
    const image = await imageOf(models, { id: "ab".repeat(16), name: "gone" });
    await build(image);
    const [entry] = await models.list();
    same([entry?.kind, entry?.name, entry?.storedBytes, entry?.imageBytes], ["copy", "gone", 0, 4608]);
    same(await errorCode(models.delete(entry?.id ?? "")), "STORE.busy");
    image.close();
    await models.delete(entry?.id ?? "");
    same([await models.list(), await halves.chunks.files()], [[], []]);
  },

  "that is closed says so": async ({ tab }) => {
    const models = tab();
    const image = await imageOf(models, await storeModel(models));
    image.close();
    image.close();
    const calls = [image.read(0, 0, new Uint8Array(768)), image.write(0, layerBytes(planOf(), 0)), image.complete()];
    for (const call of calls) same(await errorCode(call), "STORE.closed");
  },
};
