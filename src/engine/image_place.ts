// Where the streamed copy of a model's weights is kept, and what it is told apart by: beside the stored model, of a file of this computer in the
// store, too, else in memory.

import { throwIfAborted } from "../base/errors.ts";
import { sha256 } from "../store/hash.ts";
import type { ModelStore } from "../store/model_store.ts";
import type { ModelLocation } from "../weights/source.ts";
import type { OpenedModel } from "./opened_model.ts";
import type { LoadReport } from "./progress.ts";
import type { StoreOptions } from "./session.ts";
import type { LoadStorage } from "./storage.ts";

/** The files of a model that is being loaded, and how to get at them again. */
export interface ModelOrigin {
  readonly storage: LoadStorage;
  readonly files: OpenedModel;
  /** Opens the same files anew; the caller closes their source. */
  readonly reopen: () => Promise<OpenedModel>;
  /** Of repairs after the load. */
  readonly again: { readonly signal: AbortSignal; readonly report: LoadReport };
  /** Where the image may be kept when the files are of this computer. */
  readonly store: StoreOptions;
  readonly location: ModelLocation;
  /** Keeps the image, instead of the model's own store. */
  readonly imageStore?: ModelStore | undefined;
}

export interface ImagePlace {
  readonly models: ModelStore;
  /** Of the model that the image belongs to. */
  readonly id: string;
  /** A store that was opened for the image alone. */
  readonly own?: ModelStore | undefined;
}

/** Beside the stored model; of a file of this computer in the store, too, by its name. Else nowhere: in memory. */
export async function placeOfImage(origin: ModelOrigin): Promise<ImagePlace | undefined> {
  const {
    storage: { models },
    files: { sources },
    imageStore,
  } = origin;
  if (imageStore) return { models: imageStore, id: await nameOf(sources) };
  const id = sources.every(({ stored }) => stored) ? sources[0].stored?.model : rememberedId(origin.location);
  return models && id !== undefined ? { models, id } : placeOfFiles(origin);
}

/** Of a file of this computer that the store remembers and has nothing else of. */
function rememberedId(location: ModelLocation): string | undefined {
  return typeof location === "string" && location.startsWith(storedScheme) ? location.slice(storedScheme.length) : undefined;
}

const storedScheme = "stored:";

/** The place of what is made of files of this computer; a later version of a file takes that of the one before. */
export async function placeOfFiles({ location, store }: Pick<ModelOrigin, "location" | "store">): Promise<ImagePlace | undefined> {
  const files = localFiles(location);
  if (files.length === 0 || store.mode === "off") return undefined;
  const { openModelStore } = await import("../store/open.ts");
  const own = await openModelStore({ tier: store.tier, folder: store.folder }).catch(() => undefined);
  return own && { models: own, own, id: await nameOf(files) };
}

/** Files of this computer, where a model is nothing else. */
function localFiles(location: ModelLocation): readonly File[] {
  const parts = [location].flat();
  // Node has no such class everywhere.
  const local = typeof File === "function" ? parts.filter((part) => part instanceof File) : [];
  return local.length === parts.length ? local : [];
}

async function nameOf(files: readonly { readonly name: string; readonly size: number }[]): Promise<string> {
  return (await digest(files.map(({ name, size }) => `${name} ${size}`).join("\n"))).slice(0, 32);
}

/** Bytes that are looked at at the start and in the middle of each tensor of files whose versions nobody knows. */
const sampleBytes = 4096;

/**
 * What an image is made of, beside the tensors' names and types: the versions of the files, or, where they have none, some of what each tensor
 * holds. Name, size and date of a file say little: two fine-tunes of one model may share all three.
 */
export async function originFacts(origin: ModelOrigin, checkWeights: boolean | undefined): Promise<readonly string[]> {
  const { files, imageStore, location } = origin;
  const versions = files.sources.map(({ stored, name, size }) => stored?.id ?? `${name} ${size}`);
  const kept = imageStore !== undefined || localFiles(location).length > 0 || rememberedId(location) !== undefined;
  const sampled = kept && !files.sources.every(({ stored }) => stored) ? await sampleOf(origin) : "";
  return [...versions, sampled, checkWeights ? "checked" : ""];
}

async function sampleOf({ files: { file, source }, again: { signal } }: ModelOrigin): Promise<string> {
  let all = "";
  for (const { offset, bytes } of file.tensors.values()) {
    throwIfAborted(signal);
    const length = Math.min(sampleBytes, bytes);
    const first = await source.read(offset, length);
    const start = await sha256(first.slice());
    const middle = await source.read(offset + Math.floor((bytes - length) / 2), length);
    all = await digest(all + start + (await sha256(middle.slice())));
  }
  return all;
}

function digest(text: string): Promise<string> {
  return sha256(new TextEncoder().encode(text));
}
