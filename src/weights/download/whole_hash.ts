// The sha256 of a whole file: from chunks as they pass when they pass in order, where what did not is read again by whoever ends it; or from
// a source that is here already.

import { ShaderloomError, throwIfAborted } from "../../base/errors.ts";
import { sha256Stream } from "../../store/hash.ts";
import type { Sha256Stream } from "../../store/hash.ts";
import type { ByteSource } from "../byte_source.ts";
import { wrongFile } from "./errors.ts";

const pieceBytes = 4 << 20;

export interface WholeHash {
  /** 64 hex digits, as promised. */
  readonly promised: string;
  /** The chunk that comes next. */
  readonly next: number;
  /** Takes a chunk if it is the next one. @returns whether it was */
  offer(index: number, bytes: Uint8Array): boolean;
  /** Whether the chunks, all of which were taken, are what was promised. Ends it. */
  matches(): boolean;
}

/** @throws {ShaderloomError} REQUEST.sha256 for what is no hash */
export function assertHash(sha256: string): void {
  if (/^[0-9a-f]{64}$/.test(sha256)) return;
  throw new ShaderloomError("REQUEST.sha256", "sha256 is not 64 hex digits in lower case. Copy it again, or leave it out.");
}

/** @throws {ShaderloomError} ENV.wasm */
export async function startWholeHash(promised: string): Promise<WholeHash> {
  const stream: Sha256Stream = await sha256Stream();
  let next = 0;
  return {
    promised,
    get next() {
      return next;
    },
    offer: (index, bytes) => {
      if (index !== next) return false;
      stream.update(bytes);
      next++;
      return true;
    },
    matches: () => stream.digest() === promised,
  };
}

/** The source with a `finish` that reads all of it and compares it with what was promised. */
export function checkedSource(source: ByteSource, promised: string | undefined): ByteSource {
  if (promised === undefined) return source;
  return {
    ...source,
    finish: async (signal) => {
      await source.finish?.(signal);
      const hash = await startWholeHash(promised);
      for (let at = 0; at < source.size; at += pieceBytes) {
        throwIfAborted(signal);
        hash.offer(hash.next, await source.read(at, Math.min(pieceBytes, source.size - at), { signal }));
      }
      if (!hash.matches()) throw wrongFile(source.name, promised, "local");
    },
  };
}
