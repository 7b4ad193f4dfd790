// The worker of image.browser.test.ts: images in the private file system, whose handles exist in dedicated workers only.
import { openIndexedDb } from "../store/indexeddb.ts";
import type { ModelStore } from "../store/model_store.ts";
import { openNamedStore } from "../store/open.ts";
import { openOpfs } from "../store/opfs.ts";
import { check, same } from "./chunk_cases.ts";
import { imageCases } from "./image_cases.ts";
import { type ImageShelf, build, imageOf, openImageShelf, planOf, readAll, storeModel } from "./image_shelf.ts";
import { readMapped } from "./mapped_reads.ts";

export interface ImageOrder {
  /** Of the folder and the database. */
  readonly place: string;
  readonly name: string;
}

export type ImageAnswer = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: string };

/** A tab that writes an image which another may be writing. @returns how many sections it wrote */
async function buildBeside(place: string): Promise<number> {
  const models = await openNamedStore(place, {});
  check(models?.tier === "opfs", "this worker has no private file system");
  const plan = planOf({ layers: 12, chunks: 2, chunkBytes: 65_536 });
  const image = await imageOf(models as ModelStore, { id: "ab".repeat(16), name: "model" }, { plan });
  const written = await build(image, plan);
  same([await readAll(image, plan), image.completed], [[], true]);
  image.close();
  models?.close();
  return written.length;
}

/** What only this tier has. */
const ownCases: Readonly<Record<string, (shelf: ImageShelf, place: string) => Promise<void>>> = {
  "takes no more room than its bytes": async ({ tab }, place) => {
    const models = tab();
    const plan = planOf({ layers: 5, chunks: 1, chunkBytes: 512 });
    const image = await imageOf(models, { id: "ab".repeat(16), name: "model" }, { plan });
    await build(image, plan);
    same(await readAll(image, plan), []);
    image.close();
    const directory = await (await navigator.storage.getDirectory()).getDirectoryHandle(place);
    const names: string[] = [];
    for await (const name of directory.keys()) names.push(name);
    const [first = ""] = names;
    same([names.length, (await (await directory.getFileHandle(first)).getFile()).size], [1, 5 * 512]);
  },

  "reads into mapped GPU memory": async ({ tab }) => {
    const models = tab();
    const plan = planOf({ chunks: 3, chunkBytes: 65_536 });
    const image = await imageOf(models, { id: "ab".repeat(16), name: "model" }, { plan });
    await readMapped(navigator.gpu, image);
    same(image.tier, "opfs");
    image.close();
  },

  "whose folder a person deletes has nothing and takes it again": async ({ halves, tab }, place) => {
    const models = tab();
    const image = await imageOf(models, await storeModel(models));
    await build(image);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await (await navigator.storage.getDirectory()).removeEntry(place, { recursive: true });
    await halves.keyValue.delete(await halves.keyValue.keys(""));
    same(await readAll(image), [0, 1, 2]);
    await build(image);
    same([await readAll(image), image.missing()], [[], []]);
    image.close();
  },
};

async function obey({ place, name }: ImageOrder): Promise<unknown> {
  if (name === "builds beside another") return buildBeside(place);
  const { keyValue } = await openIndexedDb(place);
  const shelf = openImageShelf({ keyValue, chunks: await openOpfs(place) });
  const run = imageCases[name];
  if (run !== undefined) return run(shelf);
  const own = ownCases[name];
  check(own !== undefined, `there is no case ${name}`);
  return own?.(shelf, place);
}

function answer(message: ImageAnswer): void {
  postMessage(message);
}

addEventListener("message", ({ data }: MessageEvent<ImageOrder>) => {
  obey(data).then(
    (value) => answer({ ok: true, value }),
    (thrown: unknown) => answer({ ok: false, error: thrown instanceof Error ? `${thrown.message}\n${thrown.stack}` : String(thrown) }),
  );
});
