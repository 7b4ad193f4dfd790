// Where slabs of layers go: in the image, in frames of several buffers, and by which copies.
import { expect, test } from "vitest";
import type { Slab } from "../base/layout.ts";
import { copyToFrame, frameSizes, pieceStarts, slabRange } from "./frames.ts";
import { layerOf, planImage, splitLayers } from "./sections.ts";

function slab(name: string, bytes: number, kind: Slab["kind"] = "matrix"): Slab {
  return { name, kind, ggufType: 0, cols: 32, bytes, parts: [{ tensor: name, rowStart: 0, rows: 8, byteOffset: 0, bytes }] };
}

const slabs = [
  slab("token_embd.weight", 4096),
  slab("blk.0.attn_q.weight", 1000),
  slab("blk.0.ffn_up.weight", 70_000),
  slab("blk.11.attn_q.weight", 512),
  slab("blk.1.attn_q.weight", 300_000),
  slab("output.weight", 4096),
  slab("blk.0.attn_norm.weight", 256, "vector"),
];
const layout = { slabs, bytes: slabs.reduce((sum, { bytes }) => sum + bytes, 0) };

test("a tensor's layer", () => {
  expect(layerOf("blk.12.attn_q.weight")).toBe(12);
  expect(layerOf("output.weight")).toBeUndefined();
  expect(layerOf("xblk.1.y")).toBeUndefined();
});

test("vectors, embedding and head are of no layer", () => {
  const { fixed, layers } = splitLayers(layout);
  expect(fixed.map(({ name }) => name)).toEqual(["token_embd.weight", "output.weight", "blk.0.attn_norm.weight"]);
  expect([...layers.keys()]).toEqual([0, 11, 1]);
});

test("sections follow each other by layer, in whole chunks, slabs at multiples of 256", async () => {
  const { sections, chunkBytes, bytes } = await planImage(layout, "");
  expect(sections.map(({ layer }) => layer)).toEqual([0, 1, 11]);
  expect(chunkBytes % 256).toBe(0);
  let chunk = 0;
  for (const section of sections) {
    expect(section.firstChunk).toBe(chunk);
    expect(section.chunks * chunkBytes).toBeGreaterThanOrEqual(section.bytes);
    expect((section.chunks - 1) * chunkBytes).toBeLessThan(section.bytes);
    for (const at of section.slabs.values()) expect(at % 256).toBe(0);
    chunk += section.chunks;
  }
  expect([...sections[0].slabs]).toEqual([
    ["blk.0.attn_q.weight", 0],
    ["blk.0.ffn_up.weight", 1024],
  ]);
  expect(bytes).toBe(chunk * chunkBytes);
});

test("layers of one size are whole chunks, whatever it is", async () => {
  for (const size of [256, 70_144, 1 << 20, (9 << 20) + 256, 130 << 20]) {
    const equal = [0, 1, 2].map((layer) => slab(`blk.${layer}.a`, size));
    const { sections, chunkBytes } = await planImage({ slabs: equal, bytes: 3 * size }, "");
    expect(chunkBytes).toBeLessThanOrEqual(4 << 20);
    const [{ chunks }] = sections;
    // What is read beyond a layer is less than 256 bytes for each of its chunks.
    expect(chunks * chunkBytes - size, `${size}`).toBeLessThan(chunks * 256);
  }
});

async function revision(change: Partial<Slab>, facts = ""): Promise<string> {
  const changed = slabs.map((one, index) => (index === 1 ? { ...one, ...change } : one));
  return (await planImage({ ...layout, slabs: changed }, facts)).revision;
}

test("another layout, other facts: another image", async () => {
  const same = await revision({});
  expect(await revision({})).toBe(same);
  const others = await Promise.all([
    revision({ ggufType: 2 }),
    revision({ bytes: 1256 }),
    revision({ cols: 64 }),
    revision({}, "another file"),
  ]);
  expect(new Set([same, ...others]).size).toBe(5);
});

test("layers larger than a buffer are cut at slabs, and copies with them", async () => {
  const big = ["a", "b", "c"].map((name) => slab(`blk.0.${name}`, 1024));
  const { sections } = await planImage({ slabs: [...big, slab("blk.1.a", 1536)], bytes: 4608 }, "");
  const [section, other] = sections;
  expect(pieceStarts(section, 4096)).toEqual([0]);
  expect(pieceStarts(section, 2048)).toEqual([0, 2048]);
  expect(pieceStarts(section, 1024)).toEqual([0, 1024, 2048]);
  expect(frameSizes([section, other], 2048)).toEqual([2048, 1024]);
  expect(frameSizes([section, other], 4096)).toEqual([3072]);
  const buffers = ["x", "y"] as unknown as GPUBuffer[];
  const place = { section, starts: pieceStarts(section, 2048), buffers };
  expect(slabRange(place, "blk.0.b")).toEqual({ buffer: "x", offset: 1024 });
  expect(slabRange(place, "blk.0.c")).toEqual({ buffer: "y", offset: 0 });
  const copies: unknown[][] = [];
  const encoder = { copyBufferToBuffer: (...copy: unknown[]) => copies.push(copy) } as unknown as GPUCommandEncoder;
  const source = { size: 1280 } as GPUBuffer;
  for (let at = 0; at < section.bytes; at += source.size) copyToFrame(encoder, source, at, place);
  expect(copies.map(([, ...rest]) => rest)).toEqual([
    [0, "x", 0, 1280],
    [0, "x", 1280, 768],
    [768, "y", 0, 512],
    [0, "y", 512, 512],
  ]);
});
