// Opens a Hugging Face folder: config.json, the files of its tokenizer and its weights, whole or in several files, as one address space.
// Files are opened one after the other in an order that depends on nothing but the folder, as those of a split GGUF are. Knows no
// architecture: names and values are still Hugging Face's.

import { ShaderloomError } from "../../base/errors.ts";
import type { ByteSource } from "../byte_source.ts";
import { shardsError } from "../gguf/shard_errors.ts";
import type { OpenShard, ShardPlace } from "../gguf/split.ts";
import { joinSources } from "../joined_source.ts";
import { openSafetensors } from "./header.ts";
import type { OpenSafetensorsOptions, StoredTensor } from "./header.ts";
import { joinTensors, parseIndex } from "./index_file.ts";
import type { WeightFile, WeightMap } from "./index_file.ts";
import { isIndexName, isWeightName } from "./places.ts";
import type { FolderPlaces } from "./places.ts";

export interface OpenFolderOptions extends OpenSafetensorsOptions {
  readonly open: OpenShard;
  /** Names of a stored model's files, by its id, when nothing of it is missing: then a file that is not among them is not looked for. */
  readonly storedNames?: ((model: string) => Promise<readonly string[] | undefined>) | undefined;
}

export interface ModelFolder {
  /** For people. */
  readonly name: string | undefined;
  /** config.json. */
  readonly config: unknown;
  /** By Hugging Face's names; offsets are those in `source`. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Over all files. */
  readonly source: ByteSource;
  /** One for each file, config.json first. */
  readonly sources: readonly ByteSource[];
  /** Files that hold weights. */
  readonly weightFiles: number;
  /** The text of a file beside the weights; undefined when there is none. */
  readText(name: SideFile): Promise<string | undefined>;
  /** @throws {ShaderloomError} FORMAT.json */
  readJson(name: SideFile): Promise<unknown>;
}

const sideFiles = ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "chat_template.jinja"] as const;

/** A file beside config.json and the weights. */
export type SideFile = (typeof sideFiles)[number];

/** A tokenizer.json of a large vocabulary has 30 MB. */
const largestText = 128 << 20;

/**
 * @throws {ShaderloomError} MODEL.folder with what is missing, MODEL.shards, FORMAT.*, LIMIT.*, as `openSafetensors`; what `open` throws. On
 *   failure all that was opened is closed.
 */
export async function openFolder(places: FolderPlaces, options: OpenFolderOptions): Promise<ModelFolder> {
  const opener = createOpener(places, options);
  try {
    const config = await opener.open("config.json");
    if (config === undefined) throw incomplete(places, ["config.json", ...missingOf(places)]);
    await opener.consultStore(config);
    const side = new Map<SideFile, ByteSource>();
    for (const name of sideFiles) {
      const source = await opener.open(name);
      if (source !== undefined) side.set(name, source);
    }
    if (!side.has("tokenizer.json")) throw incomplete(places, missingOf(places, ["tokenizer.json"]));
    const { files, map } = await openWeights(opener, options);
    const tensors = joinTensors(files, map);
    const sources = opener.opened;
    const weights = files.map(({ source }) => source);
    const rest = sources.filter((source) => !weights.includes(source));
    const name = `${places.name ?? files[0].name}${files.length > 1 ? ` (${files.length} files)` : ""}`;
    const { signal } = options;
    const readText = async (file: SideFile): Promise<string | undefined> => {
      const source = side.get(file);
      const text = source && (await textOf(source, signal));
      // A server that answers every path with a page of its own has no such file.
      return text !== undefined && /^\s*<(?:!doctype|html)/i.test(text) ? undefined : text;
    };
    return {
      name: places.name,
      config: parseJson("config.json", await textOf(config, signal)),
      tensors,
      // Weights first: their offsets begin at 0.
      source: joinSources([...weights, ...rest], name),
      sources,
      weightFiles: files.length,
      readText,
      readJson: async (file) => {
        const text = await readText(file);
        return text === undefined ? undefined : parseJson(file, text);
      },
    };
  } catch (thrown) {
    for (const source of opener.opened) source.close?.();
    throw thrown;
  }
}

interface Opener {
  readonly places: FolderPlaces;
  readonly opened: ByteSource[];
  /** Undefined when there is no such file. */
  open(name: string, weightFile?: number): Promise<ByteSource | undefined>;
  /** Asks which files of this model are stored, once its first is known. */
  consultStore(first: ByteSource): Promise<void>;
}

function createOpener(places: FolderPlaces, { open, storedNames }: OpenFolderOptions): Opener {
  const opened: ByteSource[] = [];
  let known: ReadonlySet<string> | undefined;
  return {
    places,
    opened,
    async open(name, weightFile) {
      const location = known === undefined || known.has(name) ? places.at(name) : undefined;
      if (location === undefined) return undefined;
      const place: ShardPlace = { index: places.numberOf?.(name) ?? opened.length, first: opened[0], weightFile: weightFile ?? null };
      try {
        const source = await open(location, place);
        opened.push(source);
        return source;
      } catch (thrown) {
        if (thrown instanceof ShaderloomError && thrown.code === "SOURCE.missing") return undefined;
        throw thrown;
      }
    },
    async consultStore({ stored }) {
      const names = stored && (await storedNames?.(stored.model));
      // Weights come last, so where they are, all before them was asked for.
      if (names?.some((name) => isWeightName(name))) known = new Set(names);
    },
  };
}

interface Weights {
  readonly files: readonly WeightFile[];
  readonly map: WeightMap | undefined;
}

async function openWeights(opener: Opener, options: OpenFolderOptions): Promise<Weights> {
  const { places } = opener;
  const plan = planWeights(places);
  for (const name of plan.whole) {
    const source = await opener.open(name, 0);
    if (source !== undefined) return { files: [{ name, source, file: await openSafetensors(source, options) }], map: undefined };
  }
  let map: WeightMap | undefined;
  let names = plan.parts;
  for (const name of plan.indexes) {
    const source = await opener.open(name);
    if (source === undefined) continue;
    map = parseIndex(name, await textOf(source, options.signal));
    names = [...new Set(map.values())].toSorted();
    break;
  }
  if (names.length === 0) throw incomplete(places, missingOf(places, [plan.whole[0] ?? "model.safetensors"]));
  const files: WeightFile[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const source = missing.length < 16 ? await opener.open(name, files.length) : undefined;
    if (source === undefined) missing.push(name);
    else files.push({ name, source, file: await openSafetensors(source, options) });
  }
  if (missing.length > 0) throw shardsError(`This model is in ${names.length} files`, { missing });
  return { files, map };
}

interface WeightPlan {
  /** Files that may hold all weights. */
  readonly whole: readonly string[];
  /** Files that may list those that do. */
  readonly indexes: readonly string[];
  /** Parts of a set without an index. */
  readonly parts: readonly string[];
}

const partName = /^(.*)-(\d{5})-of-(\d{5})\.safetensors$/;

function planWeights({ names, named }: FolderPlaces): WeightPlan {
  if (names !== undefined) return planListed(names);
  if (named === undefined) return { whole: ["model.safetensors"], indexes: ["model.safetensors.index.json"], parts: [] };
  if (isIndexName(named)) return { whole: [], indexes: [named], parts: [] };
  const part = partName.exec(named);
  return part === null
    ? { whole: [named], indexes: [], parts: [] }
    : { whole: [], indexes: [`${part[1]}.safetensors.index.json`], parts: [] };
}

/** From names alone. A set whose names count its files needs no index. */
function planListed(names: readonly string[]): WeightPlan {
  const indexes = names.filter((name) => isIndexName(name));
  const weights = names.filter((name) => isWeightName(name));
  const parts = weights.filter((name) => partName.test(name)).toSorted();
  if (indexes.length > 0 && parts.length > 0) return { whole: [], indexes: indexes.slice(0, 1), parts: [] };
  const [, base, , count] = partName.exec(parts[0] ?? "") ?? [];
  if (base !== undefined && !weights.includes("model.safetensors")) {
    const expected = Array.from(
      { length: Math.min(Number(count), 1024) },
      (_, i) => `${base}-${String(i + 1).padStart(5, "0")}-of-${count}.safetensors`,
    );
    return { whole: [], indexes: [], parts: expected };
  }
  const whole = weights.length === 1 ? weights : weights.filter((name) => name === "model.safetensors");
  return { whole, indexes, parts: [] };
}

/** Which of the files that every folder has are not in the list, and those of `known`. */
function missingOf({ names }: FolderPlaces, known: readonly string[] = []): string[] {
  if (names === undefined) return [...known];
  const absent = ["tokenizer.json"].filter((name) => !names.includes(name));
  const weights = names.some((name) => isWeightName(name)) ? [] : ["model.safetensors"];
  return [...new Set([...known, ...absent, ...weights])];
}

function incomplete({ bare }: FolderPlaces, missing: readonly string[]): ShaderloomError {
  const list = missing.length > 1 ? `${missing.slice(0, -1).join(", ")} and ${missing.at(-1)} are` : `${missing[0]} is`;
  const hint = bare ? " If the repository has GGUF files, name one: hf:owner/repo/file.gguf." : "";
  const message = `${list} missing. Give config.json, tokenizer.json and all .safetensors files of one folder together.${hint}`;
  return new ShaderloomError("MODEL.folder", message, { detail: { missing: [...missing] } });
}

async function textOf(source: ByteSource, signal: AbortSignal | undefined): Promise<string> {
  if (source.size > largestText) {
    const message = `${source.name} has ${source.size} bytes; the limit is ${largestText}. Use another model.`;
    throw new ShaderloomError("LIMIT.metadata", message, { detail: { bytes: source.size, limit: largestText } });
  }
  return new TextDecoder().decode(await source.read(0, source.size, { signal }));
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ShaderloomError("FORMAT.json", `${name} is no JSON. Get the file again.`, { detail: { file: name } });
  }
}
