// The image of a model that is loaded: how its sections are made of the model's files, at first and when one is lost.

import { assert, ShaderloomError, throwIfAborted } from "../base/errors.ts";
import type { LayoutPlan, Slab } from "../base/layout.ts";
import { openImage } from "../streaming/image.ts";
import { slabLayer } from "../streaming/sections.ts";
import type { ImagePlan, WeightImage } from "../streaming/types.ts";
import { loadWeights } from "../weights/loader.ts";
import type { ByteSource } from "../weights/source.ts";
import type { LoadedModel } from "./model.ts";
import { type ModelOrigin, placeOfImage } from "./image_place.ts";
import type { LoadReport } from "./progress.ts";

export interface ImageWork {
  readonly origin: ModelOrigin;
  readonly model: LoadedModel;
  readonly layout: LayoutPlan;
  readonly plan: ImagePlan;
  readonly checkWeights: boolean | undefined;
  readonly report: LoadReport;
  readonly signal: AbortSignal;
}

/** An image, and the end of what was opened for it. */
export interface OpenedImage {
  readonly image: WeightImage;
  close(): void;
}

/**
 * The image, whole: written from the model's files where it is not there yet. Of stored models only once all files are there and are what was
 * promised, so that what is kept is never of bytes that turn out wrong.
 *
 * @throws {ShaderloomError} as reading the files; QUOTA.full, STORE.*, AbortError
 */
export async function prepareImage(work: ImageWork): Promise<OpenedImage> {
  const { origin, plan, signal } = work;
  const { storage, files, store } = origin;
  const place = await placeOfImage(origin);
  let image: WeightImage | undefined;
  const close = (): void => {
    image?.close();
    place?.own?.close();
  };
  try {
    // Of what is stored everything, before a byte of it is kept in another form.
    if (place) await fetchAll(work);
    const model = place && { id: place.id, name: files.sources[0].name };
    const { onFull = "memory", evict } = store;
    // Another tab may be writing it just now.
    work.report.phase("image");
    image = await openImage({ models: place?.models, model, plan, diagnostics: storage.diagnostics, onFull, evict, signal });
    const missing = image.missing();
    if (missing.length > 0) await writeSections(work, image, { source: files.source, sections: missing });
    if (!place) await files.source.finish?.(signal);
    await image.complete();
    return { image, close };
  } catch (thrown) {
    close();
    throw thrown;
  }
}

/** Reads everything once, so that it is stored, and compares it with what was promised. */
export async function fetchAll({ origin: { files }, report, signal }: Pick<ImageWork, "origin" | "report" | "signal">): Promise<void> {
  const { source, sources } = files;
  if (!sources.every(({ stored }) => stored?.complete() ?? true)) {
    const { size, readBytes = 1 << 22 } = source;
    source.expect?.([{ offset: 0, length: size }]);
    report.span(0.15, 0.5);
    const storedBytes = (): number => sources.reduce((sum, { stored }) => sum + (stored?.storedBytes() ?? 0), 0);
    const before = storedBytes();
    const start = performance.now();
    const into = new Uint8Array(Math.min(size, readBytes));
    for (let offset = 0; offset < size; offset += readBytes) {
      throwIfAborted(signal);
      const { length } = await source.read(offset, Math.min(readBytes, size - offset), { signal, into });
      const loaded = offset + length;
      // What was here already was not downloaded.
      const bytesPerSecond = ((storedBytes() - before) * 1000) / Math.max(1, performance.now() - start);
      report.weights({ loaded, total: size, bytesPerSecond, fromCache: false, file: source.name });
    }
  }
  await source.finish?.(signal);
}

/**
 * Makes sections anew from the model's files, opened again.
 * @throws {ShaderloomError} SOURCE.changed when they are others by now; as reading them
 */
export async function repairImage(work: ImageWork, image: WeightImage, sections: readonly number[]): Promise<void> {
  const { origin, model } = work;
  await withReopened({ origin, model }, (source) => writeSections({ ...work, ...origin.again }, image, { source, sections }));
}

/**
 * Uses the model's files, opened again.
 * @throws {ShaderloomError} SOURCE.changed when they are others by now; as opening them
 */
export async function withReopened(
  { origin, model }: Pick<ImageWork, "origin" | "model">,
  use: (source: ByteSource) => Promise<void>,
): Promise<void> {
  const again = await origin.reopen();
  try {
    const before = origin.files.sources.map(({ stored, size }) => stored?.id ?? size);
    const now = again.sources.map(({ stored, size }) => stored?.id ?? size);
    const same =
      before.join() === now.join() &&
      [...model.file.tensors.values()].every(({ name, offset }) => again.file.tensors.get(name)?.offset === offset);
    if (!same) throw changed(again.source.name);
    await use(again.source);
  } finally {
    again.source.close?.();
  }
}

/** What sections are made of. */
export interface Writing {
  readonly source: ByteSource;
  readonly sections: readonly number[];
}

/** Makes sections of files, one after the other, so that memory holds a layer and no more. @throws as reading the files and storing */
export async function writeSections(work: ImageWork, image: WeightImage, { source, sections }: Writing): Promise<void> {
  const { model, layout, plan, checkWeights, report, signal } = work;
  const slabs = layout.slabs.filter((slab) => slabLayer(slab) !== undefined);
  report.span(0.5, 0.97);
  const start = performance.now();
  const total = sections.reduce((sum, at) => sum + plan.sections[at].bytes, 0);
  let loaded = 0;
  let room = new Uint8Array(0);
  for (const at of sections) {
    const section = plan.sections[at];
    const length = section.chunks * plan.chunkBytes;
    if (room.length < length) room = new Uint8Array(length);
    // What the loader leaves out is padding.
    const bytes = room.subarray(0, length).fill(0);
    const own = slabs.filter(({ name }) => section.slabs.has(name));
    await loadWeights({
      source,
      tensors: model.file.tensors,
      plan: { slabs: own, bytes: section.bytes },
      formats: model.formats,
      upload: (slab, byteOffset, piece) => bytes.set(piece, placeOf(section.slabs, slab) + byteOffset),
      scan: checkWeights,
      signal,
    });
    await image.write(at, bytes);
    loaded += section.bytes;
    const bytesPerSecond = (loaded * 1000) / Math.max(1, performance.now() - start);
    report.image({ loaded, total, bytesPerSecond, fromCache: source.local === true, file: source.name });
  }
}

function placeOf(slabs: ReadonlyMap<Slab["name"], number>, slab: string): number {
  const place = slabs.get(slab);
  assert(place !== undefined, `${slab} is not of this section`);
  return place;
}

function changed(name: string): ShaderloomError {
  const message = `${name} has changed since it was loaded, and a layer of the streamed copy has to be made anew. Load the model again.`;
  return new ShaderloomError("SOURCE.changed", message, { detail: { name } });
}
