// The index of a checkpoint in several files: which tensor is in which of them. Believed only as far as the files' own tables agree.

import { ShaderloomError } from "../../base/errors.ts";
import type { FullErrorCode } from "../../base/errors.ts";
import { shardsError, tooManyShards } from "../gguf/shard_errors.ts";
import { printable } from "../gguf/values.ts";
import { joinedOffsets } from "../joined_source.ts";
import type { ByteSource } from "../byte_source.ts";
import type { SafetensorsFile, StoredTensor } from "./header.ts";
import { JsonProblem, parseStrictJson } from "./strict_json.ts";
import type { JsonValue } from "./strict_json.ts";

/** File names by tensor name. */
export type WeightMap = ReadonlyMap<string, string>;

const maxFiles = 1024;

/** @throws {ShaderloomError} FORMAT.json, FORMAT.dup, FORMAT.type; LIMIT.shards */
export function parseIndex(name: string, text: string): WeightMap {
  const map = rootOf(name, text).get("weight_map");
  if (!(map instanceof Map)) throw indexError(name, "FORMAT.type", "it has no weight_map");
  const files = new Map<string, string>();
  for (const [tensor, file] of map) {
    if (typeof file !== "string" || !isPlainName(file)) {
      throw indexError(name, "FORMAT.type", `the file of ${printable(tensor)} is no name of a .safetensors file beside it`);
    }
    files.set(tensor, file);
  }
  const count = new Set(files.values()).size;
  if (count > maxFiles) throw tooManyShards(name, count, maxFiles);
  if (count === 0) throw indexError(name, "FORMAT.type", "its weight_map is empty");
  return files;
}

/** A name that cannot leave the folder. */
function isPlainName(file: string): boolean {
  return /^[^/\\:?#%\p{Cc}]{1,200}\.safetensors$/u.test(file) && !file.startsWith(".");
}

function rootOf(name: string, text: string): ReadonlyMap<string, JsonValue> {
  try {
    const value = parseStrictJson(text);
    if (value instanceof Map) return value;
  } catch (thrown) {
    if (!(thrown instanceof JsonProblem)) throw thrown;
    if (thrown.repeated !== undefined) throw indexError(name, "FORMAT.dup", `${printable(thrown.repeated)} occurs twice`);
  }
  throw indexError(name, "FORMAT.json", "it is no JSON object");
}

function indexError(name: string, code: FullErrorCode, problem: string): ShaderloomError {
  return new ShaderloomError(code, `${name} is not a valid index of safetensors files: ${problem}. Get it again.`);
}

/** One opened file with weights. */
export interface WeightFile {
  /** In its folder. */
  readonly name: string;
  readonly source: ByteSource;
  readonly file: SafetensorsFile;
}

/**
 * The tensors of all files, in the address space of their joined source.
 *
 * @param map undefined where there is no index
 * @throws {ShaderloomError} MODEL.shards when a tensor is in two files, or the index and the files disagree
 */
export function joinTensors(files: readonly WeightFile[], map: WeightMap | undefined): ReadonlyMap<string, StoredTensor> {
  const starts = joinedOffsets(files.map(({ source }) => source));
  const tensors = new Map<string, StoredTensor>();
  for (const [index, { name, file }] of files.entries()) {
    for (const tensor of file.tensors.values()) {
      if (tensors.has(tensor.name)) throw shardsError(`${printable(tensor.name)} is in two files`, { foreign: [name] });
      if (map !== undefined && map.get(tensor.name) !== name) {
        throw shardsError(`${name} has the tensor ${printable(tensor.name)}, which the index does not expect there`, { foreign: [name] });
      }
      tensors.set(tensor.name, { ...tensor, offset: starts[index] + tensor.offset });
    }
  }
  for (const [tensor, file] of map ?? []) {
    if (!tensors.has(tensor))
      throw shardsError(`${file} lacks the tensor ${printable(tensor)} that the index promises`, { foreign: [file] });
  }
  return tensors;
}
