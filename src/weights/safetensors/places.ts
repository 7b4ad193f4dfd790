// Where the files of a Hugging Face folder are: beside an address, in a list of files, or in the model store. Opens nothing.

import { ShaderloomError } from "../../base/errors.ts";
import { isHubPath } from "../http/hub.ts";
import { splitAddress } from "../gguf/shard_names.ts";
import type { FileLocation, ModelLocation } from "../source.ts";

/** A folder as far as names go. */
export interface FolderPlaces {
  /** The folder's name, for people; undefined where there is none. */
  readonly name: string | undefined;
  /** Where a file is; undefined when it is known not to be there. */
  at(name: string): FileLocation | undefined;
  /** All names; undefined for an address, where a file has to be asked for. */
  readonly names: readonly string[] | undefined;
  /** The file that the caller named, when that has weights or lists those that do. */
  readonly named: string | undefined;
  /** Whether the caller named a repository and no file of it. */
  readonly bare: boolean;
  /** Number of a file of a stored model, as the store counts. */
  readonly numberOf?: (name: string) => number;
}

const weightName = /\.safetensors$/;
const indexName = /\.safetensors\.index\.json$/;

export function isWeightName(name: string): boolean {
  return weightName.test(name);
}

export function isIndexName(name: string): boolean {
  return indexName.test(name);
}

function isFolderFile(name: string): boolean {
  return name === "config.json" || isWeightName(name) || isIndexName(name);
}

/** `hf:owner/repo`, with a revision or not. */
const bareRepository = /^hf:([^/@]+\/[^/@]+)(@[^@]+)?$/;

/**
 * @param stored names of the files of a stored model, when the location is one
 * @returns undefined when the location is no Hugging Face folder
 * @throws {ShaderloomError} MODEL.folder when two files of a list have one name
 */
export function folderPlaces(location: ModelLocation, stored: readonly string[] = []): FolderPlaces | undefined {
  if (isList(location)) return location.length === 1 ? folderPlaces(location[0], stored) : listPlaces(location);
  if (typeof location === "string" && location.startsWith("stored:")) return storedPlaces(location, stored);
  if (typeof location === "string" || location instanceof URL) return besidePlaces(location);
  return listPlaces([location]);
}

function isList(location: ModelLocation): location is readonly FileLocation[] {
  return Array.isArray(location);
}

function besidePlaces(location: string | URL): FolderPlaces | undefined {
  const repository = typeof location === "string" ? bareRepository.exec(location) : null;
  const address = repository === null ? location : `hf:${repository[1]}/config.json${repository[2] ?? ""}`;
  const segments = pathOf(address).split("/");
  const file = segments.at(-1) ?? "";
  if (!isFolderFile(file)) return undefined;
  const parents = segments.slice(0, -1);
  // Of a hub's address the repository, which stands before /resolve/<revision>.
  const resolve = parents.indexOf("resolve");
  return {
    name: (resolve > 0 ? parents[resolve - 1] : parents.at(-1))?.replace(/^hf:/, "") || undefined,
    at: (name) => sibling(address, name),
    names: undefined,
    named: file === "config.json" ? undefined : file,
    bare: repository !== null,
  };
}

function listPlaces(locations: readonly FileLocation[]): FolderPlaces | undefined {
  const files = new Map<string, FileLocation>();
  let repeated: string | undefined;
  for (const location of locations) {
    const name = nameOf(location);
    if (name === undefined) continue;
    if (files.has(name)) repeated = name;
    files.set(name, location);
  }
  const names = [...files.keys()];
  if (!names.some((name) => isFolderFile(name))) return undefined;
  if (repeated !== undefined) {
    const message = `Two of the files are called ${repeated}. Give the files of one folder.`;
    throw new ShaderloomError("MODEL.folder", message, { detail: { repeated } });
  }
  return { name: undefined, at: (name) => files.get(name), names, named: undefined, bare: false };
}

function storedPlaces(location: string, names: readonly string[]): FolderPlaces | undefined {
  if (names[0] !== "config.json") return undefined;
  const at = (name: string): string | undefined => (names.includes(name) ? location : undefined);
  return { name: undefined, at, names, named: undefined, bare: false, numberOf: (name) => names.indexOf(name) };
}

function nameOf(location: FileLocation): string | undefined {
  if (location instanceof Blob) return "name" in location ? location.name : undefined;
  if (typeof location === "string" || location instanceof URL) return pathOf(location).split("/").at(-1);
  return undefined;
}

function pathOf(location: string | URL): string {
  const path = typeof location === "string" ? splitAddress(location).path : location.pathname;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The address of another file of the folder, with the query and revision of this one. */
function sibling(location: string | URL, name: string): string | URL {
  if (typeof location === "string") {
    const { path, rest } = splitAddress(location);
    const file = isHubPath(location) ? name : encodeURIComponent(name);
    return `${path.slice(0, path.lastIndexOf("/") + 1)}${file}${rest}`;
  }
  const url = new URL(location);
  url.pathname = `${url.pathname.slice(0, url.pathname.lastIndexOf("/") + 1)}${encodeURIComponent(name)}`;
  return url;
}
