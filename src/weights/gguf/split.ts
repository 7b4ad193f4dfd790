// Opens all files of a model that llama.cpp's gguf-split cut: their tensor tables become one, in the address space of a joined source. `split.no`, `split.count` and `split.tensors.count` are in each file, everything else about the model only in the first.
// How a file is opened is the caller's. Facts: github.com/ggml-org/llama.cpp/tree/master/tools/gguf-split

import { ShaderloomError } from "../../base/errors.ts";
import type { ByteSource } from "../byte_source.ts";
import type { GgufFile, TensorInfo } from "./gguf.ts";
import type { ModelHeader } from "../tensor_info.ts";
import { joinSources, joinedOffsets } from "../joined_source.ts";
import { shardsError, tooManyShards } from "./shard_errors.ts";
import { baseName, parseShardName, shardNameBeside, shardNameOf, siblingLocation } from "./shard_names.ts";
import type { FileLocation, ModelLocation } from "../source.ts";

/** Which file of a model is opened. */
export interface ShardPlace {
  /** From 0; as the name says, since the file itself is not known yet. */
  readonly index: number;
  /** The source of the model's first file; undefined for that file itself. */
  readonly first?: ByteSource | undefined;
  /** Its number among the files with weights, where that is another than `index`; null for a file without any. */
  readonly weightFile?: number | null | undefined;
}

/**
 * Opens one file. The location of a sibling is derived from the given one; `stored:<id>` stands for all files of the model. Files are opened
 * one after the other in the model's order, so that two tabs that lock them as they open them cannot wait for each other.
 */
export type OpenShard = (location: FileLocation, place: ShardPlace) => Promise<ByteSource>;

export interface ModelFile {
  /** As one file: offsets are those in `source`. */
  readonly file: ModelHeader;
  /** Over all files. Its `size` counts the room between them too. */
  readonly source: ByteSource;
  /** One for each file, in the model's order. */
  readonly sources: readonly ByteSource[];
}

/** More files than any real model has; each takes a request and memory. */
const maxShards = 1024;
/** Missing files after which no more are looked for. */
const enoughMissing = 16;

/** What a file says of the model it is a part of. */
interface Split {
  /** From 0. */
  readonly index: number;
  readonly count: number;
  /** Of all files together. */
  readonly tensors: number;
}

/** One opened file. */
export interface OpenedGguf {
  readonly source: ByteSource;
  readonly file: GgufFile;
}

interface Shard extends OpenedGguf {
  /** Undefined for a whole model. */
  readonly split: Split | undefined;
}

export interface SplitOptions {
  /** Opens a file and reads its header. Whoever gave it closes what it opened when this fails. */
  readonly openFile: (location: FileLocation, place: ShardPlace) => Promise<OpenedGguf>;
  /** The file of a location without a number in its name, when that is opened already. */
  readonly first: OpenedGguf | undefined;
  readonly maxTensors: number;
}

type Opener = (location: FileLocation, place: ShardPlace) => Promise<Shard>;

/**
 * Opens the model at a location: an address of any of its files, or all of them in any order.
 *
 * @throws {ShaderloomError} MODEL.shards with what is missing, foreign, there twice or misnamed; LIMIT.shards; what `openFile` throws
 */
export async function openSplitModel(location: ModelLocation, { openFile, first, maxTensors }: SplitOptions): Promise<ModelFile> {
  const shardOf = (opened: OpenedGguf): Shard => ({ ...opened, split: splitOf(opened.source, opened.file, maxTensors) });
  const opener: Opener = async (at, place) => shardOf(await openFile(at, place));
  if (isList(location) && location.length !== 1) return openFromAll(location, opener);
  const one = isList(location) ? location[0] : location;
  return openFromOne(one, opener, first && shardOf(first));
}

function isList(location: ModelLocation): location is readonly FileLocation[] {
  return Array.isArray(location);
}

/** From the location of one file, whose name tells those of the others. */
async function openFromOne(location: FileLocation, opener: Opener, opened: Shard | undefined): Promise<ModelFile> {
  const address = typeof location === "string" || location instanceof URL ? location : undefined;
  const name = shardNameOf(location);
  const derived =
    address !== undefined && name !== undefined && name.index > 0 ? siblingLocation(address, { ...name, index: 0 }) : undefined;
  const first =
    opened ??
    (await opener(derived ?? location, { index: 0 }).catch((thrown: unknown) => {
      if (derived === undefined || !isMissing(thrown) || name === undefined) throw thrown;
      throw shardsError(`The first of the ${name.count} files of this model is not there`, { missing: [baseName({ ...name, index: 0 })] });
    }));
  const { source, file, split } = first;
  if (split === undefined) {
    if (derived === undefined) return { source, file, sources: [source] };
    throw shardsError("This is no split model", { foreign: [source.name] });
  }
  if (address === undefined) {
    const missing = range(split.count).filter((index) => index !== split.index);
    throw shardsError(`${source.name} is file ${split.index + 1} of ${split.count} of its model`, {
      missing: missing.map((index) => shardNameBeside(source.name, { index, count: split.count })),
    });
  }
  if (String(address).startsWith("stored:")) return openSiblings(first, split.count, { opener, siblingOf: () => address });
  if (name?.count !== split.count) {
    const problem = `${source.name} is file ${split.index + 1} of ${split.count} of its model, and its name does not tell where the others are`;
    throw shardsError(problem, {});
  }
  return openSiblings(first, split.count, { opener, siblingOf: (index) => siblingLocation(address, { ...name, index }) });
}

interface Siblings {
  readonly opener: Opener;
  readonly siblingOf: (index: number) => FileLocation;
}

async function openSiblings(first: Shard, count: number, { opener, siblingOf }: Siblings): Promise<ModelFile> {
  const missing: string[] = [];
  const shards: Array<Shard | undefined> = [first];
  for (const index of range(count).slice(1)) {
    if (missing.length >= enoughMissing) break;
    shards[index] = await opener(siblingOf(index), { index, first: first.source }).catch((thrown: unknown) => {
      if (!isMissing(thrown)) throw thrown;
      missing.push(shardNameBeside(first.source.name, { index, count }));
      return undefined;
    });
  }
  const present = shards.filter((shard) => shard !== undefined);
  // A sound file under another's name is a mix-up of the server that would go unseen, as the set may still be whole.
  const displaced = present.filter((shard) => shard.split !== undefined && shard.split.index !== shards.indexOf(shard));
  return arrange(present, { missing, displaced: namesOf(displaced) });
}

/** From all files in any order. Names, where all have one, tell the order of opening; the files themselves tell what they are. */
async function openFromAll(locations: readonly FileLocation[], opener: Opener): Promise<ModelFile> {
  if (locations.length > maxShards) throw tooManyShards("A list", locations.length, maxShards);
  const named = locations.map((location) => shardNameOf(location)?.index);
  const usable = new Set(named).size === locations.length && !named.includes(undefined);
  const places = locations.map((location, position) => ({ location, index: (usable ? named[position] : undefined) ?? position }));
  const [head, ...rest] = places.toSorted((a, b) => a.index - b.index);
  if (head === undefined) throw shardsError("No file was given", {});
  const first = await opener(head.location, { index: head.index });
  const shards = [first];
  for (const { location, index } of rest) shards.push(await opener(location, { index, first: first.source }));
  return arrange(shards, { missing: [], displaced: [] });
}

interface Found {
  /** Names of files that were looked for and are not there. */
  readonly missing: readonly string[];
  /** Names of files that are another part than their name says. */
  readonly displaced: readonly string[];
}

/** Puts files in order and joins them, or says what is wrong with the set. */
function arrange(shards: readonly Shard[], { missing, displaced }: Found): ModelFile {
  const reference = shards.find(({ split }) => split?.index === 0) ?? shards.find(({ split }) => split !== undefined);
  if (reference?.split === undefined) throw shardsError("None of these files is a part of a split model", { foreign: namesOf(shards) });
  const { count, tensors } = reference.split;
  const placed = new Map<number, Shard>();
  const foreign: string[] = [];
  const repeated: string[] = [];
  for (const shard of shards) {
    if (shard.split === undefined || !sameModel(shard, reference)) foreign.push(shard.source.name);
    else if (placed.has(shard.split.index)) repeated.push(shard.source.name);
    else placed.set(shard.split.index, shard);
  }
  const absent = range(count).filter((index) => !placed.has(index));
  const unnamed = displaced.length > 0 ? [] : absent.map((index) => shardNameBeside(reference.source.name, { index, count }));
  const problems = { missing: missing.length > 0 ? missing : unnamed, foreign, repeated, displaced };
  if (Object.values(problems).some((names) => names.length > 0)) throw shardsError(`This model is split into ${count} files`, problems);
  const ordered = range(count).flatMap((index) => placed.get(index) ?? []);
  return join(ordered, tensors);
}

/** As far as the files say: those after the first need not state more than the counts. */
function sameModel({ file, split }: Shard, reference: Shard): boolean {
  const architecture = file.metadata.get("general.architecture");
  const known = architecture === undefined || architecture === reference.file.metadata.get("general.architecture");
  return known && split?.count === reference.split?.count && split?.tensors === reference.split?.tensors;
}

function join(shards: readonly Shard[], promised: number): ModelFile {
  const sources = shards.map(({ source }) => source);
  const starts = joinedOffsets(sources);
  const tensors = new Map<string, TensorInfo>();
  for (const [index, { source, file }] of shards.entries()) {
    for (const [name, tensor] of file.tensors) {
      if (tensors.has(name)) throw shardsError(`${source.name} repeats a tensor of the files before it`, { foreign: [source.name] });
      tensors.set(name, { ...tensor, offset: starts[index] + tensor.offset });
    }
  }
  if (tensors.size !== promised)
    throw shardsError(`The ${shards.length} files have ${tensors.size} tensors together and promise ${promised}`, {});
  const [first] = shards;
  const base = parseShardName(first.source.name)?.base;
  const name = `${base === undefined ? first.source.name : `${base}.gguf`} (${shards.length} files)`;
  return { file: { ...first.file, tensors }, source: joinSources(sources, name), sources };
}

/**
 * What a file says of itself; undefined for one that is whole. A count of 0 is what gguf-split leaves in a file that it has merged.
 *
 * @throws {ShaderloomError} MODEL.shards when it contradicts itself, LIMIT.shards
 */
function splitOf(source: ByteSource, file: GgufFile, maxTensors: number): Split | undefined {
  const value = (key: string): unknown => file.metadata.get(key);
  const [index, count, tensors] = [value("split.no"), value("split.count"), value("split.tensors.count")];
  if (count === undefined || count === 0 || count === 1) return undefined;
  const sound = isCount(index) && isCount(count) && isCount(tensors) && index < count && file.tensors.size <= tensors;
  if (sound && count > maxShards) throw tooManyShards(source.name, count, maxShards);
  // Only the first file may be without tensors.
  if (sound && count <= tensors + 1 && tensors <= maxTensors) return { index, count, tensors };
  const said = [index, count, tensors].map((one) => (typeof one === "number" ? String(one) : typeof one)).join(", ");
  const message = `${source.name} contradicts itself about the files of its model (split.no, split.count, split.tensors.count: ${said}). Get it again.`;
  throw new ShaderloomError("MODEL.shards", message, { detail: { foreign: [source.name] } });
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function namesOf(shards: readonly Shard[]): readonly string[] {
  return shards.map(({ source }) => source.name);
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}

function isMissing(thrown: unknown): boolean {
  return thrown instanceof ShaderloomError && thrown.code === "SOURCE.missing";
}
