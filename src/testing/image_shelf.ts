// A store in which images are tried, images of known bytes, and what their cases ask again and again.
import { type Locks, openLocks } from "../store/locks.ts";
import { createModelStore } from "../store/create_model_store.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import { fileId } from "../store/manifest.ts";
import type { ModelStore, StorageSpace, StoredModel } from "../store/model_store.ts";
import { createProcessLocks } from "../store/process_locks.ts";
import { type ImageOptions, describeImage, openImage } from "../streaming/image.ts";
import type { ImagePlan, Section, WeightImage } from "../streaming/types.ts";
import { check, sameBytes, seededBytes } from "./chunk_cases.ts";
import type { StoreHalves } from "./faulty_store.ts";

/** A store and those who open it: each tab sees the others' locks and nothing else of them. */
export interface ImageShelf {
  readonly halves: StoreHalves;
  readonly tab: () => ModelStore;
}

export function openImageShelf(halves: StoreHalves): ImageShelf {
  const locks: Locks = openLocks("images", createProcessLocks());
  const news = { tell: () => undefined, listen: () => () => undefined, close: () => undefined };
  let time = 1;
  const tab = (): ModelStore =>
    createModelStore({
      keyValue: halves.keyValue,
      tiers: [halves.chunks],
      locks,
      news,
      space: noSpace,
      persist: async () => false,
      chunkBytes: 1024,
      now: () => time++,
    });
  return { halves, tab };
}

async function noSpace(): Promise<StorageSpace> {
  return { usedBytes: null, availableBytes: null, persisted: false };
}

/** Layers of `chunks` chunks each; the last one is a little shorter than its chunks. */
export function planOf(part: Partial<ImagePlan> & { readonly layers?: number; readonly chunks?: number } = {}): ImagePlan {
  const { layers = 3, chunks = 2, chunkBytes = 768, revision = "r1".padEnd(64, "0") } = part;
  const sections = Array.from({ length: layers }, (_, layer): Section => {
    const bytes = chunks * chunkBytes - (layer === layers - 1 ? 256 : 0);
    return { layer, firstChunk: layer * chunks, chunks, bytes, slabs: new Map([["all", 0]]) };
  });
  return { chunkBytes, sections, bytes: layers * chunks * chunkBytes, revision };
}

/** A layer's bytes; another revision has others. */
export function layerBytes(plan: ImagePlan, section: number): Uint8Array<ArrayBuffer> {
  const { chunks, bytes } = plan.sections[section] ?? { chunks: 0, bytes: 0 };
  const whole = new Uint8Array(chunks * plan.chunkBytes);
  whole.set(seededBytes(bytes, section + 100 * plan.revision.charCodeAt(1)));
  return whole;
}

/** A stored model of two files. */
export async function storeModel(models: ModelStore, name = "model.gguf"): Promise<{ readonly id: string; readonly name: string }> {
  let id = "";
  for (const part of ["", ".2"]) {
    const about = { url: `https://host.test/${name}${part}`, revision: "1", name, bytes: 1500, sha256: null };
    const file = await models.open(id === "" ? about : { ...about, model: id }, noDiagnostics());
    if (id === "") id = file.manifest.id;
    await file.put(0, seededBytes(1024, 1));
    await file.put(1, seededBytes(476, 2));
    await file.complete({ sha256: null, verified: false });
  }
  return { id, name };
}

export function imageOf(models: ModelStore, model: ImageOptions["model"], more: Partial<ImageOptions> = {}): Promise<WeightImage> {
  return openImage({ models, model, plan: planOf(), diagnostics: noDiagnostics(), onFull: "error", ...more });
}

/** Writes what is missing and completes the image. @returns the sections written */
export async function build(image: WeightImage, plan: ImagePlan = planOf()): Promise<number[]> {
  const written = [...image.missing()];
  for (const section of written) await image.write(section, layerBytes(plan, section));
  await image.complete();
  return written;
}

/** Reads all chunks, those of absent sections too, and compares them. @returns the sections of which a chunk was not there */
export async function readAll(image: WeightImage, plan: ImagePlan = planOf()): Promise<number[]> {
  const gone = new Set<number>();
  const place = new Uint8Array(plan.chunkBytes);
  for (const [section, { chunks }] of plan.sections.entries()) {
    const bytes = layerBytes(plan, section);
    for (let chunk = 0; chunk < chunks; chunk++) {
      place.fill(77);
      const there = await image.read(section, chunk, place);
      const expected = bytes.subarray(chunk * plan.chunkBytes, (chunk + 1) * plan.chunkBytes);
      if (there) check(sameBytes(place, expected), `chunk ${chunk} of section ${section} has other bytes`);
      else gone.add(section);
    }
  }
  return [...gone];
}

/** Turns a bit of a stored chunk. */
export async function damage({ halves }: ImageShelf, file: string, index: number): Promise<void> {
  const { chunkBytes } = planOf();
  const bytes = await halves.chunks.read(file, index, chunkBytes, { spacing: chunkBytes });
  check(bytes !== undefined, "no chunk to damage");
  if (bytes === undefined) return;
  bytes[5] = (bytes[5] ?? 0) ^ 8;
  await halves.chunks.put(file, index, bytes, chunkBytes);
}

/** Of the image in the store. */
export function idOf(model: string, plan: ImagePlan = planOf()): Promise<string> {
  return fileId(describeImage({ id: model, name: "" }, plan));
}

/** As `list` shows a model. */
export async function listed(models: ModelStore, id: string): Promise<StoredModel | undefined> {
  return (await models.list()).find((one) => one.id === id);
}
