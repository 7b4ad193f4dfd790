// Manifest: what is known of one stored file, written strictly and last; and the records of its chunks. Their types, keys, stored
// form and checks: what was stored is as little trusted as what was downloaded, and a value that does not check out is absent.

import { ceilDiv, clamp } from "../base/math.ts";
import { type StoreTier, storeTiers } from "./chunk_store.ts";
import { sha256 } from "./hash.ts";
import { seal, unseal } from "./sealed.ts";

/** Raised when the meaning of a stored value changes. */
export const manifestVersion = 1;

/** What tells a file from all others and from other versions of itself. */
export interface FileIdentity {
  /**
   * Address without user, query and fragment, which may hold secrets (whoever needs a query to tell files apart appends a hash of it);
   * `import:<sha256 of name, size and date>` for a copy of a local file; `image:<id of the model>` for what was made from a model.
   */
  readonly url: string;
  /** A commit, an ETag, or what else the server lets us see; two versions never share one. */
  readonly revision: string;
}

export interface Manifest extends FileIdentity {
  readonly version: typeof manifestVersion;
  /** 32 hex digits, from `fileId(identity)`; names the file in the chunk store. */
  readonly id: string;
  /** The `id` of the model's first file: its own, or that of the first shard. Files of a model are listed and deleted together. */
  readonly model: string;
  /** For people: the file's name. */
  readonly name: string;
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly tier: StoreTier;
  readonly state: "partial" | "complete";
  /** sha256 of the whole file, 64 hex digits, as its origin or the caller promised it; null when nobody did. */
  readonly sha256: string | null;
  /** Whether the whole file was hashed and found to be `sha256`. */
  readonly verified: boolean;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly usedAt: number;
}

/** What is known of a complete chunk. Written after its bytes are safe. */
export interface ChunkRecord {
  readonly bytes: number;
  /** 64 hex digits, from the bytes as they came. */
  readonly sha256: string;
  /** 16 hex digits; a fast checksum of the same bytes, looked at on every read. */
  readonly checksum: string;
}

/** Addresses of images: files made from a model's own, which can be made again and go when it goes. */
export const imageScheme = "image:";

export function isImage({ url }: Pick<FileIdentity, "url">): boolean {
  return url.startsWith(imageScheme);
}

/** Most chunks of a file: what six digits of a key can number; 4 TiB at 4 MiB each. */
export const maxChunks = 1_000_000;

/** First 32 hex digits of sha256 of address and revision. */
export async function fileId({ url, revision }: FileIdentity): Promise<string> {
  return (await sha256(new TextEncoder().encode(`${url}\n${revision}`))).slice(0, 32);
}

export function isFileId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text);
}

export const manifestPrefix = "manifest/";
export const chunkPrefix = "chunk/";

export function manifestKey(id: string): string {
  return `${manifestPrefix}${id}`;
}

/** Padded, so that keys sort as the chunks do. */
export function chunkKey(id: string, index: number): string {
  return `${chunkPrefix}${id}/${String(index).padStart(6, "0")}`;
}

/** @returns undefined for a key that `chunkKey` did not make */
export function parseChunkKey(key: string): { readonly id: string; readonly index: number } | undefined {
  const match = /^chunk\/([0-9a-f]{32})\/(\d{6})$/.exec(key);
  return match?.[1] === undefined ? undefined : { id: match[1], index: Number(match[2]) };
}

export function chunkCountOf(file: Pick<Manifest, "bytes" | "chunkBytes">): number {
  return ceilDiv(file.bytes, file.chunkBytes);
}

/** Bytes of a chunk by its number; 0 when the file has no such chunk. */
export function chunkLengthOf(file: Pick<Manifest, "bytes" | "chunkBytes">, index: number): number {
  return clamp(file.bytes - index * file.chunkBytes, 0, file.chunkBytes);
}

/** For `manifestKey(manifest.id)`. */
export async function encodeManifest(manifest: Manifest): Promise<string> {
  return seal(manifestKey(manifest.id), manifest);
}

/** @returns undefined when the stored value is damaged, of another version, or not the manifest of this id */
export async function decodeManifest(id: string, stored: unknown): Promise<Manifest | undefined> {
  const value = await unseal(manifestKey(id), stored);
  if (!isRecord(value) || value["version"] !== manifestVersion || value["id"] !== id) return undefined;
  const { url, revision, model, name, bytes, chunkBytes, tier, state, sha256: hash, verified, createdAt, usedAt } = value;
  if (typeof url !== "string" || typeof revision !== "string" || typeof name !== "string") return undefined;
  if (typeof model !== "string" || !isFileId(model) || !isTier(tier)) return undefined;
  if (state !== "partial" && state !== "complete") return undefined;
  if (hash !== null && !isHex(hash, 64)) return undefined;
  if (typeof verified !== "boolean" || (verified && (hash === null || state !== "complete"))) return undefined;
  if (!isCount(bytes) || !isCount(chunkBytes) || chunkBytes === 0 || ceilDiv(bytes, chunkBytes) > maxChunks) return undefined;
  if (!isCount(createdAt) || !isCount(usedAt)) return undefined;
  if ((await fileId({ url, revision })) !== id) return undefined;
  const facts = { url, revision, id, model, name, bytes, chunkBytes, tier, state, sha256: hash, verified, createdAt, usedAt } as const;
  return { version: manifestVersion, ...facts };
}

/** For `chunkKey(id, index)`. */
export async function encodeRecord(id: string, index: number, record: ChunkRecord): Promise<string> {
  return seal(chunkKey(id, index), record);
}

/** @returns undefined when the stored value is damaged or no record of this chunk */
export async function decodeRecord(id: string, index: number, stored: unknown): Promise<ChunkRecord | undefined> {
  const value = await unseal(chunkKey(id, index), stored);
  if (!isRecord(value)) return undefined;
  const { bytes, sha256: hash, checksum } = value;
  return isCount(bytes) && isHex(hash, 64) && isHex(checksum, 16) ? { bytes, sha256: hash, checksum } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]*$/.test(value);
}

function isTier(value: unknown): value is StoreTier {
  return storeTiers.some((tier) => tier === value);
}
