// Manifest: what is known of one stored file, written strictly and last. The type and its checks; a manifest that does not
// check out is treated as absent.

import type { StoreTier } from "./chunk_store.ts";

/** Raised when the meaning of a stored value changes. */
export const manifestVersion = 1;

/** What tells a file from all others and from other versions of itself. */
export interface FileIdentity {
  /**
   * Address without user, query and fragment, which may hold secrets; `import:<sha256 of name and size>` for a copy of a local file.
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
