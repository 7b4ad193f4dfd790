// Several sources read as one: offsets, spans over borders, and which shard is told of what when.

import { describe, expect, test, vi } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { chunkBytes } from "../store/chunk_store.ts";
import { errorCode } from "../testing/typed_error.ts";
import { bytesSource } from "./byte_source.ts";
import type { ByteRange, ByteSource } from "./byte_source.ts";
import { joinSources, joinedOffsets } from "./joined_source.ts";

const sizes = [10, chunkBytes + 3, chunkBytes, 5];

interface Recorded {
  readonly source: ByteSource;
  readonly expected: ByteRange[][];
  readonly calls: string[];
}

function recorded(shard: number, size: number): Recorded {
  const bytes = new Uint8Array(size).fill(shard + 1);
  const expected: ByteRange[][] = [];
  const calls: string[] = [];
  const source: ByteSource = {
    ...bytesSource(bytes, `shard ${shard}`),
    expect: (ranges) => void expected.push([...ranges]),
    finish: async () => void calls.push("finish"),
    close: () => void calls.push("close"),
  };
  return { source, expected, calls };
}

const make = (): readonly Recorded[] => sizes.map((size, shard) => recorded(shard, size));

test("shards begin at chunk borders", () => {
  const sources = make().map(({ source }) => source);
  expect(joinedOffsets(sources)).toEqual([0, chunkBytes, 3 * chunkBytes, 4 * chunkBytes]);
  expect(joinSources(sources, "joined")).toMatchObject({ name: "joined", size: 4 * chunkBytes + 5, local: false });
  expect(
    joinSources(
      sources.map((source) => ({ ...source, local: true })),
      "joined",
    ).local,
  ).toBe(true);
});

describe("reads", () => {
  const joined = joinSources(
    make().map(({ source }) => source),
    "joined",
  );

  test("inside a shard are the shard's own, with all that was asked", async () => {
    const options: unknown[] = [];
    const plain = bytesSource(Uint8Array.of(1, 2, 3));
    const read: ByteSource["read"] = (offset, length, given) => (options.push(given), plain.read(offset, length));
    const second = joinSources([bytesSource(new Uint8Array(1)), { ...plain, read }], "joined");
    const into = new Uint8Array(2);
    const onBytes = vi.fn<(count: number) => void>();
    expect([...(await second.read(chunkBytes + 1, 2, { into, onBytes }))]).toEqual([2, 3]);
    expect(options).toEqual([{ into, onBytes }]);
  });

  test.each([undefined, new Uint8Array(3 * chunkBytes).fill(99)])("over borders have zeros between shards", async (into) => {
    const counted: number[] = [];
    const start = 5;
    const bytes = await joined.read(start, 2 * chunkBytes + 10, { into, onBytes: (count) => void counted.push(count) });
    expect(bytes.length).toBe(2 * chunkBytes + 10);
    expect(counted.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(bytes.length);
    const at = (offset: number): number => bytes[offset - start];
    expect([at(9), at(10), at(chunkBytes - 1), at(chunkBytes), at(2 * chunkBytes + 2), at(2 * chunkBytes + 3)]).toEqual([1, 0, 0, 2, 2, 0]);
    expect(new Set(await joined.read(2 * chunkBytes + 100, 50))).toEqual(new Set([0]));
    expect(new Set(await joined.read(3 * chunkBytes - 1, chunkBytes + 2))).toEqual(new Set([0, 3, 4]));
  });

  test("refused: outside, aborted, short, failed", async () => {
    expect(await errorCode(joined.read(4 * chunkBytes, 6))).toBe("SOURCE.range");
    expect(await errorCode(joined.read(-1, 2))).toBe("SOURCE.range");
    expect(await errorCode(joined.read(0, 2, { signal: AbortSignal.abort() }))).toBe("AbortError");
    const short = joinSources([{ ...bytesSource(new Uint8Array(9)), read: async () => new Uint8Array(1) }], "joined");
    expect(await errorCode(short.read(0, 2))).toBe("SOURCE.length");
    const failing = {
      ...bytesSource(new Uint8Array(9)),
      read: () => Promise.reject(new ShaderloomError("SOURCE.changed", "It changed. Pick it again.")),
    };
    expect(await errorCode(joinSources([failing], "joined").read(0, 2))).toBe("SOURCE.changed");
  });
});

describe("what shards are told", () => {
  test("their ranges when they are due, two shards at a time, and when all of them were read", async () => {
    const shards = make();
    const joined = joinSources(
      shards.map(({ source }) => source),
      "joined",
    );
    const ranges = [
      { offset: 2, length: 3 },
      { offset: chunkBytes, length: 100 },
      { offset: 2 * chunkBytes, length: 3 },
      { offset: 3 * chunkBytes, length: 7 },
      { offset: 4 * chunkBytes, length: 5 },
      { offset: 7, length: 2 },
    ];
    joined.expect?.(ranges);
    const heard = (): number[] => shards.map(({ expected }) => expected.length);
    expect(heard()).toEqual([1, 1, 0, 0]);
    expect(shards[0].expected[0]).toEqual([
      { offset: 2, length: 3 },
      { offset: 7, length: 2 },
    ]);
    expect(shards[1].expected[0]).toEqual([
      { offset: 0, length: 100 },
      { offset: chunkBytes, length: 3 },
    ]);
    const seen: number[][] = [];
    for (const { offset, length } of ranges) {
      await joined.read(offset, length);
      seen.push(heard());
    }
    // The first shard is needed once more at the end; the second is through after the third read.
    expect(seen).toEqual([
      [1, 1, 1, 0],
      [1, 1, 1, 0],
      [1, 2, 1, 1],
      [1, 2, 2, 1],
      [1, 2, 2, 2],
      [2, 2, 2, 2],
    ]);
    for (const { expected } of shards) expect(expected[1]).toEqual([]);
  });

  test("at once when one is read before its time; finish and close all", async () => {
    const shards = make();
    const joined = joinSources(
      shards.map(({ source }) => source),
      "joined",
    );
    await joined.read(0, 4); // before anything is expected
    joined.expect?.(joinedOffsets(shards.map(({ source }) => source)).map((offset) => ({ offset, length: 5 })));
    await joined.read(4 * chunkBytes, 5);
    expect(shards[3].expected).toEqual([[{ offset: 0, length: 5 }], []]);
    await joined.finish?.();
    joined.close?.();
    expect(shards.map(({ calls }) => calls)).toEqual(sizes.map(() => ["finish", "close"]));
    const plain = joinSources([bytesSource(Uint8Array.of(1)), bytesSource(Uint8Array.of(2))], "plain");
    plain.expect?.([{ offset: 0, length: 1 }]);
    expect([...(await plain.read(0, 1))]).toEqual([1]);
    await plain.finish?.();
    plain.close?.();
  });
});
