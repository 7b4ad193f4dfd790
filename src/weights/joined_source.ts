// Several files as one ByteSource: the shards of a split model behind each other in one address space. Each begins at a multiple of the
// store's chunk, so a range within a chunk lies in one shard. Knows nothing of what the files hold.

import { throwIfAborted } from "../base/errors.ts";
import { alignUp } from "../base/math.ts";
import { chunkBytes } from "../store/chunk_store.ts";
import { checkRange, shortRead } from "./byte_source.ts";
import type { ByteRange, ByteSource, ReadOptions } from "./byte_source.ts";

/** Shards that are told to run ahead of their reader: the one that is read and the next. Each takes memory and connections of its own. */
const shardsAhead = 2;

/** Where each source begins in the joined one. */
export function joinedOffsets(sources: readonly ByteSource[]): readonly number[] {
  let end = 0;
  return sources.map(({ size }) => {
    const start = alignUp(end, chunkBytes);
    end = start + size;
    return start;
  });
}

/**
 * One source over all; the bytes between two shards are zeros. `expect` is handed on to the shards that are due, and a shard is told that
 * nothing more is expected once all of that was read. `finish` and `close` are those of all shards.
 */
export function joinSources(sources: readonly ByteSource[], name: string): ByteSource {
  const starts = joinedOffsets(sources);
  const size = (starts.at(-1) ?? 0) + (sources.at(-1)?.size ?? 0);
  let schedule = createSchedule(sources, []);

  const readPart = async (part: Part, options: ReadOptions): Promise<Uint8Array> => {
    const { shard, offset, length } = part;
    schedule.begin(shard);
    const bytes = await sources[shard].read(offset, length, options);
    if (bytes.length !== length) throw shortRead(sources[shard].name, part, bytes.length);
    schedule.end(shard);
    return bytes;
  };

  return {
    name,
    size,
    local: sources.every(({ local }) => local === true),
    readBytes: sources.find(({ readBytes }) => readBytes !== undefined)?.readBytes,
    readsAtOnce: sources.every(({ readsAtOnce }) => readsAtOnce === 1) ? 1 : undefined,
    read: async (offset, length, options = {}) => {
      throwIfAborted(options.signal);
      checkRange({ name, size }, offset, length);
      const parts = partsOf(sources, starts, { offset, length });
      if (parts.length === 1 && parts[0].length === length) return readPart(parts[0], options);
      const { into, ...rest } = options;
      const out = into !== undefined && into.length >= length ? into.subarray(0, length) : new Uint8Array(length);
      out.fill(0);
      for (const part of parts) {
        const at = starts[part.shard] + part.offset - offset;
        out.set(await readPart(part, rest), at);
      }
      return out;
    },
    expect: (ranges) => {
      schedule = createSchedule(
        sources,
        ranges.flatMap((range) => partsOf(sources, starts, range)),
      );
    },
    finish: async (signal) => {
      for (const source of sources) await source.finish?.(signal);
    },
    close: () => {
      for (const source of sources) source.close?.();
    },
  };
}

/** What of a range lies in one shard, in that shard's own offsets. */
interface Part extends ByteRange {
  readonly shard: number;
}

function partsOf(sources: readonly ByteSource[], starts: readonly number[], { offset, length }: ByteRange): readonly Part[] {
  const parts: Part[] = [];
  for (const [shard, start] of starts.entries()) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + sources[shard].size);
    if (from < to) parts.push({ shard, offset: from - start, length: to - from });
  }
  return parts;
}

interface Schedule {
  /** A read of the shard starts. */
  begin(shard: number): void;
  /** It has ended. */
  end(shard: number): void;
}

/** Follows the reads that were announced, which come in about that order, and tells each shard of its own when it is due. */
function createSchedule(sources: readonly ByteSource[], parts: readonly Part[]): Schedule {
  const ofShard = new Map<number, Part[]>();
  for (const part of parts) {
    const ranges = ofShard.get(part.shard);
    if (ranges === undefined) ofShard.set(part.shard, [part]);
    else ranges.push(part);
  }
  const left = new Map([...ofShard].map(([shard, ranges]) => [shard, ranges.length]));
  const untold = new Set(ofShard.keys());
  /** Runs of reads of the same shard, those that have begun taken off. */
  const runs: Array<{ readonly shard: number; reads: number }> = [];
  for (const { shard } of parts) {
    const last = runs.at(-1);
    if (last?.shard === shard) last.reads++;
    else runs.push({ shard, reads: 1 });
  }
  const tell = (shard: number): void => {
    if (!untold.delete(shard)) return;
    const ranges = ofShard.get(shard) ?? [];
    sources[shard].expect?.(ranges.map(({ offset, length }) => ({ offset, length })));
  };
  const tellDue = (): void => {
    for (const { shard } of runs.slice(0, shardsAhead)) tell(shard);
  };
  tellDue();
  return {
    begin: (shard) => {
      tell(shard);
      if (runs.length > 0 && --runs[0].reads <= 0) runs.shift();
      tellDue();
    },
    end: (shard) => {
      const still = (left.get(shard) ?? 0) - 1;
      left.set(shard, still);
      if (still === 0) sources[shard].expect?.([]);
    },
  };
}
