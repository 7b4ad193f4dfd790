// Opens a model's files whatever they are: a GGUF file, whole or split, or a Hugging Face folder. What is known of both is the same from here
// on: metadata and tensors by canonical names, one source over all files.

import type { ModelStore } from "../store/model_store.ts";
import type { OpenShard } from "../weights/gguf/split.ts";
import type { QuantizeType } from "../weights/quantize_rule.ts";
import type { FolderPlaces } from "../weights/safetensors/places.ts";
import type { ModelHeader } from "../weights/tensor_info.ts";
import type { FileLocation, ModelLocation } from "../weights/source.ts";
import type { OpenedModel } from "./opened_model.ts";

export interface OpenModelOptions {
  readonly open: OpenShard;
  readonly signal?: AbortSignal | undefined;
  /** The store that is read from. */
  readonly models?: ModelStore | undefined;
  /** Whether what is stored is believed to be all that there is. */
  readonly trusted?: boolean | undefined;
  /** What float matrices become while they are loaded. */
  readonly quantize?: QuantizeType | undefined;
}

const storedScheme = "stored:";

/** @throws {ShaderloomError} as `openModelFile` and `openHuggingFace`; what `open` throws */
export async function openModel(location: ModelLocation, options: OpenModelOptions): Promise<OpenedModel> {
  const { open, signal, quantize } = options;
  const limits = signal ? { signal } : {};
  const places = await placesOf(location, options.models);
  if (places === undefined) {
    // A chunk of its own: folders need none of it.
    const { openModelFile } = await import("../weights/gguf/model_file.ts");
    const model = await openModelFile(location, open, limits);
    return { ...model, file: await asQuantized(model.file, quantize), weightFiles: model.sources.length };
  }
  // A chunk of its own: GGUF files need none of it.
  const { openHuggingFace } = await import("./huggingface.ts");
  const { models, trusted = false } = options;
  const names = async (id: string): Promise<readonly string[] | undefined> => {
    const files = (await models?.filesOf(id)) ?? [];
    return files.every(({ state }) => state === "complete") ? files.map(({ name }) => name) : undefined;
  };
  const model = await openHuggingFace(places, { open, ...limits, ...(trusted ? { storedNames: names } : {}) });
  return { ...model, file: await asQuantized(model.file, quantize) };
}

/** Where the files of a folder are; undefined when the location is none. A chunk of its own: what has the name of a GGUF file needs it not. */
async function placesOf(location: ModelLocation, models: ModelStore | undefined): Promise<FolderPlaces | undefined> {
  if ([location].flat().every((one) => isGguf(one))) return undefined;
  const { folderPlaces } = await import("../weights/safetensors/places.ts");
  return folderPlaces(location, await storedNames(location, models));
}

/** Whether a location is bytes, or says by its name that it is a GGUF file. */
function isGguf(location: FileLocation): boolean {
  if (location instanceof ArrayBuffer || location instanceof Uint8Array) return true;
  const name = location instanceof Blob ? ("name" in location ? location.name : ".gguf") : String(location);
  // A repository may have such a name, too: only a path in it is a file.
  if (name.startsWith("hf:") && name.split("/").length < 3) return false;
  // Behind these a query, a fragment or a revision may say anything.
  return /\.gguf$/i.test(name.split(/[?#@]/, 1)[0]);
}

async function asQuantized(file: ModelHeader, wanted: QuantizeType | undefined): Promise<ModelHeader> {
  return wanted === undefined ? file : (await import("../weights/quantize_rule.ts")).quantizedHeader(file, wanted);
}

/** Names of the files of a stored model, as the store counts them. */
async function storedNames(location: ModelLocation, models: ModelStore | undefined): Promise<readonly string[]> {
  if (typeof location !== "string" || !location.startsWith(storedScheme)) return [];
  const files = (await models?.filesOf(location.slice(storedScheme.length))) ?? [];
  return files.map(({ name }) => name);
}
