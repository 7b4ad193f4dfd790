// Reads Blobs of a database into the caller's memory as byte streams, piece by piece through small reusable buffers. In Chromium
// that is 1.6 times as fast as `arrayBuffer()` and leaves no garbage of the Blob's size. Knows nothing of databases.

/** Larger ones are no faster, and smaller ones cost a wait each. */
const pieceBytes = 512 << 10;
/** Buffers that are kept from Blob to Blob: as many as are read at once. */
const keptPieces = 4;
/** Milliseconds between two looks at whether a stream still moves. */
const lookEvery = 5_000;

/**
 * Fills `place` with the first bytes of a Blob.
 *
 * @returns false when the Blob has fewer bytes or they cannot be read; `place` then holds anything
 */
export type ReadBlob = (blob: Blob, place: Uint8Array<ArrayBuffer>) => Promise<boolean>;

export function blobReader(): ReadBlob {
  const pieces: ArrayBuffer[] = [];
  return async (blob, place) => {
    if (blob.size < place.length) return false;
    const part = blob.size === place.length ? blob : blob.slice(0, place.length);
    const reader = byteReader(part);
    if (reader !== undefined && (await readStream(reader, place, pieces))) return true;
    return readWhole(part, place);
  };
}

/** @returns undefined where a Blob's stream is no byte stream */
function byteReader(blob: Blob): ReadableStreamBYOBReader | undefined {
  try {
    return blob.stream().getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}

/**
 * Chromium 156 collects the stream of a Blob as garbage while a read of it is pending when nothing but that read refers to it, and
 * the read then never ends. A timer is something that refers; it also ends a stream that stands still for any other reason.
 */
async function readStream(reader: ReadableStreamBYOBReader, place: Uint8Array<ArrayBuffer>, pieces: ArrayBuffer[]): Promise<boolean> {
  let at = 0;
  let seen = -1;
  const watch = setInterval(() => {
    if (at === seen) void reader.cancel().catch(() => undefined);
    seen = at;
  }, lookEvery);
  try {
    let piece = pieces.pop() ?? new ArrayBuffer(pieceBytes);
    while (at < place.length) {
      const { value } = await reader.read(new Uint8Array(piece, 0, Math.min(piece.byteLength, place.length - at)));
      if (value === undefined || value.length === 0) return false;
      place.set(value, at);
      at += value.length;
      piece = value.buffer;
    }
    if (pieces.length < keptPieces) pieces.push(piece);
    return true;
  } catch {
    return false;
  } finally {
    clearInterval(watch);
    void reader.cancel().catch(() => undefined);
  }
}

async function readWhole(blob: Blob, place: Uint8Array<ArrayBuffer>): Promise<boolean> {
  const buffer = await blob.arrayBuffer().catch(() => undefined);
  if (buffer?.byteLength !== place.length) return false;
  place.set(new Uint8Array(buffer));
  return true;
}
