// Names of the files of a split model, as llama.cpp's gguf-split writes them: `<base>-00001-of-00003.gguf`, counted from 1. From one
// file's address to that of another; opens nothing.

import { isHubPath } from "../http/hub.ts";
import type { FileLocation } from "../source.ts";

export interface ShardName {
  readonly base: string;
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

const pattern = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s;

/** Undefined for names of another form. */
export function parseShardName(name: string): ShardName | undefined {
  const match = pattern.exec(name);
  if (match === null) return undefined;
  const index = Number(match[2]) - 1;
  const count = Number(match[3]);
  return index >= 0 && index < count ? { base: match[1], index, count } : undefined;
}

export function formatShardName({ base, index, count }: ShardName): string {
  return `${base}-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;
}

/** Without folders and host. */
export function baseName(name: ShardName): string {
  return formatShardName({ ...name, base: name.base.slice(name.base.search(/[^/\\:]*$/)) });
}

/** What another file of the model is called, as far as the name of one tells. */
export function shardNameBeside(sibling: string, { index, count }: { readonly index: number; readonly count: number }): string {
  const name = parseShardName(sibling);
  return name === undefined ? `file ${index + 1} of ${count}` : baseName({ ...name, index, count });
}

/** What the name of a file or of the path in an address says; undefined for bytes and other names. */
export function shardNameOf(location: FileLocation): ShardName | undefined {
  if (location instanceof Blob) return "name" in location ? parseShardName(location.name) : undefined;
  if (typeof location === "string") return parseShardName(splitAddress(location).path);
  return location instanceof URL ? parseShardName(location.pathname) : undefined;
}

/** The address of another file of the same model, with the query and revision of this one. */
export function siblingLocation(location: string | URL, name: ShardName): string | URL {
  if (typeof location === "string") return formatShardName(name) + splitAddress(location).rest;
  const url = new URL(location);
  url.pathname = formatShardName(name);
  return url;
}

/** The path of an address, and what follows it: a query and fragment, or the revision of a hub path. */
export function splitAddress(location: string): { readonly path: string; readonly rest: string } {
  const found = isHubPath(location) ? location.lastIndexOf("@") : location.search(/[?#]/);
  const end = found < 0 ? location.length : found;
  return { path: location.slice(0, end), rest: location.slice(end) };
}
