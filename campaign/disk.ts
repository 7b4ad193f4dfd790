// The profile's files while no browser has them open: finds stored bytes in them and damages them.

import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Rng } from "../src/base/rng.ts";
import type { BrowserTier } from "./protocol.ts";

const folders: Record<BrowserTier, string> = { indexeddb: "IndexedDB", opfs: "File System" };

/** All files that hold payloads of a tier, or the index of one. */
export function profileFiles(profile: string, tier: BrowserTier, wanted: RegExp = /./): string[] {
  const folder = join(profile, "Default", folders[tier]);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((path) => join(folder, path))
    .filter((path) => statSync(path).isFile() && wanted.test(path))
    .toSorted();
}

/** Where in a tier's files a run of bytes lies; every copy of it. */
function findBytes(profile: string, tier: BrowserTier, bytes: Buffer): Array<{ path: string; at: number }> {
  return profileFiles(profile, tier).flatMap((path) => {
    const at = readFileSync(path).indexOf(bytes);
    return at < 0 ? [] : [{ path, at }];
  });
}

export function flipBit(path: string, at: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  writeFileSync(path, bytes);
}

/**
 * Flips one bit of a stored chunk, at a place of the generator's choice.
 *
 * @throws when the chunk is not to be found on disk: then the test would prove nothing
 */
export function flipInChunk(profile: string, tier: BrowserTier, chunk: Buffer, rng: Rng): void {
  const needle = 48;
  const at = rng.below(chunk.length - needle);
  const found = findBytes(profile, tier, chunk.subarray(at, at + needle));
  if (found.length === 0) throw new Error("the chunk is nowhere in the profile");
  const bit = rng.below(8);
  for (const place of found) flipBit(place.path, place.at, bit);
}

/** The file of a chunk's bytes, and where in it they begin. */
export function placeOfChunk(profile: string, tier: BrowserTier, chunk: Buffer): { path: string; at: number } {
  const [found] = findBytes(profile, tier, chunk.subarray(0, 48));
  if (found === undefined) throw new Error("the chunk is nowhere in the profile");
  return found;
}
