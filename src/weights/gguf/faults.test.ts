// Rows 1 to 11 and 13 of the fault matrix for model files, by number. Row 12, dimensions that contradict the configuration, is
// the models' business.

import { describe, expect, test } from "vitest";
import { everyValueType, f32Tensor } from "../../testing/gguf_cases.ts";
import { ggufTypeIds, writeGguf, writeGgufHeader } from "../../testing/gguf_writer.ts";
import type { GgufClaim, GgufEntry } from "../../testing/gguf_writer.ts";
import { errorCode } from "../../testing/typed_error.ts";
import { bytesSource } from "../byte_source.ts";
import type { ByteSource } from "../byte_source.ts";
import { openGguf } from "./gguf.ts";
import type { GgufFile, GgufLimits } from "./gguf.ts";

const Q4_0 = 2;
const Q4_K = 12;

async function open(bytes: Uint8Array, limits?: Partial<GgufLimits>): Promise<GgufFile> {
  return openGguf(bytesSource(bytes, "test.gguf"), { limits });
}

/** An array header of the given element type and count over 64 bytes of file. */
function arrayOf(type: number, count: number | bigint): Uint8Array {
  return writeGgufHeader({ entries: [(out) => (out.text("k"), out.u32(ggufTypeIds.array), out.u32(type), out.u64(count))], dataBytes: 64 });
}

/** A consistent file of that many small tensors. */
function manyTensors(count: number): Uint8Array {
  const tensors = Array.from({ length: count }, (_, i) => ({ name: `blk.${i}.weight`, offset: i * 32 }));
  return writeGgufHeader({ tensors, dataBytes: count * 32 });
}

/** Processor time, because the machine may be busy with other tests. */
async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

describe("fault matrix", () => {
  test.each([
    ["another magic", writeGgufHeader({ magic: "GGUT" }), "another kind"],
    ["a web page saved as model", new TextEncoder().encode("<!doctype html><html>not found</html>"), "web page"],
    ["a zip", writeGgufHeader({ magic: "PK\u0003\u0004" }), "zip"],
    ["a Git LFS pointer", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n"), "LFS"],
    ["five bytes", new TextEncoder().encode("hello"), "another kind"],
  ])("row 1: bad magic: %s", async (_, bytes, hint) => {
    await expect(open(bytes)).rejects.toMatchObject({ code: "FORMAT.magic", message: expect.stringContaining(hint) });
  });

  test.each([0, 1, 4, 0x02000000, 0x03000000, 0xffffffff])("row 2: version %i", async (version) => {
    const error = open(writeGgufHeader({ version, entries: everyValueType }));
    await expect(error).rejects.toMatchObject({ code: "FORMAT.version", message: expect.stringContaining("2 and 3") });
  });

  test.each([2n ** 64n - 1n, 2n ** 63n, 2n ** 53n, 2n ** 40n, 70_000n])("row 3: a count of %i, no room for it", async (count) => {
    expect(await errorCode(open(writeGgufHeader({ tensorCount: count, entries: everyValueType })))).toBe("FORMAT.count");
    expect(await errorCode(open(writeGgufHeader({ entryCount: count, entries: everyValueType })))).toBe("FORMAT.count");
  });

  test("row 3: a count over the cap that the file has room for", async () => {
    expect(await errorCode(open(writeGgufHeader({ entryCount: 4097, dataBytes: 60_000 })))).toBe("LIMIT.count");
  });

  test.each([2n ** 64n - 1n, 2n ** 63n, 2n ** 53n + 1n, (64n << 20n) + 1n])("row 4: a string of %i bytes", async (length) => {
    const asKey = writeGgufHeader({ entries: [(out) => out.u64(length)], dataBytes: 64 });
    const asValue = writeGgufHeader({ entries: [(out) => (out.text("k"), out.u32(ggufTypeIds.string), out.u64(length))], dataBytes: 64 });
    const inArray = writeGgufHeader({
      entries: [(out) => (out.text("k"), out.u32(ggufTypeIds.array), out.u32(ggufTypeIds.string), out.u64(1), out.u64(length))],
      dataBytes: 64,
    });
    for (const bytes of [asKey, asValue, inArray]) expect(await errorCode(open(bytes))).toBe("FORMAT.string");
    const asName = writeGgufHeader({ tensorCount: 1, entries: [(out) => out.u64(length)], entryCount: 0, dataBytes: 64 });
    expect(await errorCode(open(asName))).toBe("FORMAT.string");
  });

  test("row 4: a believable string beyond the end is a file cut short, invalid UTF-8 is not text", async () => {
    const beyond = writeGgufHeader({ entries: [(out) => (out.text("k"), out.u32(ggufTypeIds.string), out.u64(1000))], dataBytes: 64 });
    expect(await errorCode(open(beyond))).toBe("FORMAT.truncated");
    const invalid = writeGgufHeader({
      entries: [(out) => (out.text("k"), out.u32(ggufTypeIds.string), out.u64(2), out.bytes(new Uint8Array([0xc3, 0x28])))],
    });
    expect(await errorCode(open(invalid))).toBe("FORMAT.string");
  });

  test.each([
    ["array of 2^60", arrayOf(ggufTypeIds.f32, 2n ** 60n)],
    ["array of 2^64 - 1", arrayOf(ggufTypeIds.u8, 2n ** 64n - 1n)],
    ["strings, 2^60 of them", arrayOf(ggufTypeIds.string, 2n ** 60n)],
    ["array in array", arrayOf(ggufTypeIds.array, 1)],
    ["array of an unknown type", arrayOf(13, 1)],
    ["an unknown type", writeGgufHeader({ entries: [(out) => (out.text("k"), out.u32(13))], dataBytes: 64 })],
    ["type 2^32 - 1", writeGgufHeader({ entries: [(out) => (out.text("k"), out.u32(0xffffffff))], dataBytes: 64 })],
    ["a bool of 2", writeGgufHeader({ entries: [(out) => (out.text("k"), out.u32(ggufTypeIds.bool), out.u8(2))], dataBytes: 64 })],
  ])("row 5: %s", async (_, bytes) => {
    expect(await errorCode(open(bytes))).toBe("FORMAT.type");
  });

  test("row 5: an array over the cap that the file has room for", async () => {
    const entries: GgufEntry[] = [["k", "u8[]", new Uint8Array(100)]];
    expect(await errorCode(open(writeGgufHeader({ entries }), { arrayLength: 99 }))).toBe("LIMIT.array");
  });

  test("row 6: duplicate keys are refused, strange ones are plain data", async () => {
    const twice: GgufEntry[] = [
      ["k", "u32", 1],
      ["k", "string", "x"],
    ];
    expect(await errorCode(open(writeGgufHeader({ entries: twice })))).toBe("FORMAT.key");
    const names = ["", "__proto__", "constructor", "toString", "a\0b"];
    const file = await open(writeGgufHeader({ entries: names.map((name): GgufEntry => [name, "string", name]) }));
    expect([...file.metadata]).toEqual(names.map((name) => [name, name]));
    expect({}).not.toHaveProperty("0");
  });

  test.each<[string, GgufEntry]>([
    ["0", ["general.alignment", "u32", 0]],
    ["13", ["general.alignment", "u32", 13]],
    ["2^31", ["general.alignment", "u32", 2 ** 31]],
    ["typed i32", ["general.alignment", "i32", 32]],
    ["typed u64", ["general.alignment", "u64", 32]],
    ["a string", ["general.alignment", "string", "32"]],
    ["an array", ["general.alignment", "u32[]", [32]]],
  ])("row 7: alignment %s", async (_, entry) => {
    expect(await errorCode(open(writeGgufHeader({ entries: [entry], tensors: [{}], dataBytes: 32 })))).toBe("FORMAT.align");
  });

  test.each<[string, readonly (number | bigint)[]]>([
    ["5 dimensions", [1, 1, 1, 1, 1]],
    ["a negative dimension", [4, -1n]],
    ["2^63", [2n ** 63n]],
    ["product over 2^53", [2 ** 30, 2 ** 30]],
    ["product over 2^64", [2 ** 40, 2 ** 40]],
    ["bytes over 2^53", [2 ** 52]],
    ["product over 2^53 next to a zero", [0, 2 ** 40, 2 ** 40]],
  ])("row 8: %s", async (_, shape) => {
    expect(await errorCode(open(writeGgufHeader({ tensors: [{ shape }], dataBytes: 64 })))).toBe("FORMAT.shape");
  });

  test("row 8: a dimension of 0 makes an empty tensor", async () => {
    const tensors: GgufClaim[] = [{ name: "a", shape: [0, 8] }, { name: "b", shape: [8, 0] }, { name: "c" }];
    const file = await open(writeGgufHeader({ tensors, dataBytes: 32 }));
    expect([...file.tensors.values()].map(({ bytes }) => bytes)).toEqual([0, 0, 32]);
  });

  test("row 9: an unknown quantization, and rows that are no whole blocks", async () => {
    const unknown = open(writeGgufHeader({ tensors: [{ name: "w", type: 99 }], dataBytes: 64 }));
    await expect(unknown).rejects.toMatchObject({ code: "UNSUPPORTED.type", detail: { tensor: "w", type: "type 99" } });
    for (const [type, cols] of [
      [Q4_0, 31],
      [Q4_0, 172],
      [Q4_K, 128],
    ]) {
      const ragged = open(writeGgufHeader({ tensors: [{ name: "w", type, shape: [256, cols] }], dataBytes: 1 << 16 }));
      await expect(ragged).rejects.toMatchObject({ code: "UNSUPPORTED.block", detail: { tensor: "w", cols } });
    }
  });

  test.each<[string, readonly GgufClaim[]]>([
    ["misaligned", [{ offset: 4 }]],
    ["overlap", [{ name: "a" }, { name: "b", offset: 0 }]],
    [
      "overlap by one alignment",
      [
        { name: "a", shape: [16] },
        { name: "b", offset: 32 },
      ],
    ],
    ["hole", [{ name: "a" }, { name: "b", offset: 64 }]],
    ["hole at the start", [{ offset: 32 }]],
    ["past the end", [{ offset: 1 << 20 }]],
    [
      "out of order",
      [
        { name: "a", offset: 32 },
        { name: "b", offset: 0 },
      ],
    ],
    ["padding wraps", [{ offset: 2n ** 64n - 1n }]],
    ["2^63", [{ name: "a" }, { name: "b", offset: 2n ** 63n }]],
  ])("row 10: %s", async (_, tensors) => {
    expect(await errorCode(open(writeGgufHeader({ tensors, dataBytes: 256 })))).toBe("FORMAT.extent");
  });

  test("row 11: duplicate tensor names, long names", async () => {
    const twice: GgufClaim[] = [{ name: "a" }, { name: "a", offset: 32 }];
    expect(await errorCode(open(writeGgufHeader({ tensors: twice, dataBytes: 64 })))).toBe("FORMAT.dup");
    expect(await errorCode(open(writeGgufHeader({ tensors: [{ name: "x".repeat(64) }], dataBytes: 64 })))).toBe("LIMIT.name");
    expect((await open(writeGgufHeader({ tensors: [{ name: "x".repeat(63) }], dataBytes: 64 }))).tensors.size).toBe(1);
  });

  test("row 11: as many tensors as the cap allows, and 10^6, in under a second each", async () => {
    const largest = manyTensors(65_536);
    expect(await cpuMs(async () => expect((await open(largest)).tensors.size).toBe(65_536))).toBeLessThan(1000);
    const million = writeGgufHeader({ tensorCount: 1_000_000, dataBytes: 40_000_000 });
    expect(await cpuMs(async () => expect(await errorCode(open(million))).toBe("LIMIT.count"))).toBeLessThan(1000);
  });

  test("row 13: cut at every header byte and at every 1/64 of the data", async () => {
    const tensors = [f32Tensor("x", [64, 32]), f32Tensor("y", [100])];
    const bytes = writeGguf({ metadata: everyValueType, tensors });
    const { dataOffset, headerBytes } = await open(bytes);
    const dataBytes = 64 * 32 * 4 + 400;
    const cuts = Array.from({ length: headerBytes }, (_, at) => at);
    for (let i = 0; i < 64; i++) cuts.push(dataOffset + Math.floor((dataBytes * i) / 64));
    cuts.push(dataOffset + dataBytes - 1);
    for (const cut of cuts) {
      const code = await errorCode(open(bytes.subarray(0, cut)));
      if (code !== "FORMAT.truncated") throw new Error(`cut at ${cut}: ${code}`);
    }
    expect((await open(bytes.subarray(0, dataOffset + dataBytes))).tensors.size).toBe(2); // the last padding may be missing
  });

  test("a header over the cap", async () => {
    const entries: GgufEntry[] = [["k", "string", "x".repeat(5000)]];
    expect(await errorCode(open(writeGgufHeader({ entries }), { headerBytes: 4096 }))).toBe("LIMIT.metadata");
  });

  test("a source that returns fewer bytes than promised", async () => {
    const bytes = writeGguf({ metadata: everyValueType, tensors: [] });
    const source: ByteSource = { name: "short", size: bytes.length, read: async (at, n) => bytes.subarray(at, at + n - 1) };
    expect(await errorCode(openGguf(source))).toBe("SOURCE.length");
  });
});
