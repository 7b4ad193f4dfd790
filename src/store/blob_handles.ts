// Fetches the stored Blobs of a file's chunks a few at a time once they are asked for in order: the next ones are then there without a
// transaction of their own. A Blob is a handle, its bytes stay where they are. Forgets what is overwritten or deleted here; what another tab
// changes is found by whoever checks the bytes, who then gets no handle of before.

/** Gives the Blobs of chunks in the order of `indices`, undefined where there is none. */
export type FetchBlobs = (file: string, indices: readonly number[]) => Promise<ReadonlyArray<Blob | undefined>>;

export interface BlobHandles {
  /** A handle is given once: whoever asks again gets a new one. */
  take(file: string, index: number): Promise<Blob | undefined>;
  /** To be called before a chunk, or all of a file, is changed. */
  forget(file: string, index?: number): void;
}

/** Blobs of one transaction. */
const atOnce = 8;
/** The next transaction begins when so many are left: a few readers side by side take them faster than one comes. */
const leftWhenFetching = 8;
/** Handles keep the bytes of deleted models on the disk, so few are kept that nobody came for. */
const mostKept = 24;

export function blobHandles(fetch: FetchBlobs): BlobHandles {
  const ahead = new Map<string, Promise<Blob | undefined>>();
  /** The chunk asked for last, and the first after it that was not fetched. */
  let last = { file: "", index: Number.NaN };
  let end = 0;

  const fetchRun = (file: string): void => {
    const indices = Array.from({ length: atOnce }, (_, i) => end + i);
    end += atOnce;
    const blobs = fetch(file, indices);
    for (const [i, index] of indices.entries()) {
      ahead.set(
        keyOf(file, index),
        blobs.then(
          (found) => found[i],
          // Another chunk's damage may have failed all of them; who comes for one fetches it alone.
          () => undefined,
        ),
      );
    }
    for (const key of ahead.keys()) if (ahead.size > mostKept) ahead.delete(key);
  };

  return {
    async take(file, index) {
      const key = keyOf(file, index);
      const held = ahead.get(key);
      ahead.delete(key);
      const goesOn = last.file === file && index > last.index && index <= last.index + atOnce;
      if (!goesOn) end = 0;
      last = { file, index };
      end = Math.max(end, index + 1);
      if (goesOn && end - index <= leftWhenFetching) fetchRun(file);
      return (await held) ?? (await fetch(file, [index]))[0];
    },
    forget(file, index) {
      if (index !== undefined) ahead.delete(keyOf(file, index));
      else for (const key of ahead.keys()) if (key.startsWith(`${file}/`)) ahead.delete(key);
    },
  };
}

function keyOf(file: string, index: number): string {
  return `${file}/${index}`;
}
