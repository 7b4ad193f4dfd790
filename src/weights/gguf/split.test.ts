// Split models: whatever way the files are given, the tensors are those of the whole file. What is refused is gguf_split_faults.test.ts.

import { describe, expect, test } from "vitest";
import type { Slab } from "../../base/layout.ts";
import { formatByGgufType } from "../../testing/formats.ts";
import { chunkBytes } from "../../store/chunk_store.ts";
import { writeGguf, writeSplitGguf } from "../../testing/gguf_writer.ts";
import type { GgufEntry } from "../../testing/gguf_writer.ts";
import { named, nameOf, shelf, smallModel } from "../../testing/shard_shelf.ts";
import { bytesSource } from "../byte_source.ts";
import { openGguf } from "./gguf.ts";
import { openModelFile } from "./model_file.ts";
import type { ModelFile, OpenShard } from "./split.ts";
import { loadWeights } from "../loader.ts";
import type { ModelLocation } from "../source.ts";

const content = smallModel(1);
const files = writeSplitGguf(content, [2, 3, 2]);

async function expectWhole({ file, source }: ModelFile): Promise<void> {
  expect([...file.tensors.keys()]).toEqual(content.tensors.map(({ name }) => name));
  expect(file.metadata.get("general.architecture")).toBe("llama");
  for (const { name, data, shape } of content.tensors) {
    const tensor = file.tensors.get(name);
    expect(tensor).toMatchObject({ shape, bytes: data.length });
    expect(Buffer.compare(await source.read(tensor?.offset ?? 0, data.length), data), name).toBe(0);
  }
}

describe("a split model is its whole, given as", () => {
  const prefix = "https://host.example/models/";
  const remote = named(files, prefix, "?download=true#x");
  const hub = named(files, "hf:owner/repo/quants/", "@v1");

  test.each<[string, ModelLocation, Record<string, Uint8Array>]>([
    ["the first address", `${prefix}${nameOf(0)}?download=true#x`, remote],
    ["another address", `${prefix}${nameOf(2)}?download=true#x`, remote],
    ["a URL", new URL(`${prefix}${nameOf(1)}?download=true#x`), remote],
    ["a relative address", `models/${nameOf(0)}`, named(files, "models/")],
    ["a hub path", `hf:owner/repo/quants/${nameOf(0)}@v1`, hub],
    ["another hub path", `hf:owner/repo/quants/${nameOf(1)}@v1`, hub],
    ["a hub path without revision", `hf:owner/repo/${nameOf(0)}`, named(files, "hf:owner/repo/")],
    ["all addresses, mixed", [1, 2, 0].map((index) => `${prefix}${nameOf(index)}?download=true#x`), remote],
    ["addresses that tell nothing", ["x", "y", "z"], { x: files[2], y: files[0], z: files[1] }],
    ["all files, mixed", [2, 0, 1].map((index) => new File([files[index]], nameOf(index))), {}],
    ["files under any names", [2, 0, 1].map((index) => new File([files[index]], `part ${index}`)), {}],
    ["bytes", [files[1], files[2], files[0]], {}],
  ])("%s", async (_, location, served) => {
    const { open, closed, most } = shelf(served);
    const model = await openModelFile(location, open);
    await expectWhole(model);
    expect(model.sources.map(({ size }) => size)).toEqual(files.map(({ length }) => length));
    expect(most()).toBe(1);
    expect(closed).toEqual([]);
    model.source.close?.();
    expect(closed).toHaveLength(3);
  });

  test("the opener learns of place and first file; siblings of a stored model are asked for by its own location", async () => {
    const { open, asked } = shelf(named(files));
    const { sources, source } = await openModelFile(nameOf(1), open);
    expect(asked[0]).toEqual([nameOf(0), { index: 0 }]);
    expect(asked.slice(1)).toEqual([1, 2].map((index) => [nameOf(index), { index, first: sources[0] }]));
    expect(source.name).toBe("m.gguf (3 files)");
    const stored: OpenShard = async (location, { index }) => (expect(location).toBe("stored:ab"), bytesSource(files[index], nameOf(index)));
    await expectWhole(await openModelFile("stored:ab", stored));
    const listed = shelf(named(files));
    await openModelFile([nameOf(2), nameOf(0), nameOf(1)], listed.open);
    expect(listed.asked.map(([address, { index, first }]) => [address, index, first !== undefined])).toEqual([
      [nameOf(0), 0, false],
      [nameOf(1), 1, true],
      [nameOf(2), 2, true],
    ]);
  });

  test("shards begin at chunk borders, and the loader reads them like one file", async () => {
    const { file, source } = await openModelFile(nameOf(0), shelf(named(files)).open);
    const shardOf = [...file.tensors.values()].map(({ offset }) => Math.floor(offset / chunkBytes));
    expect(shardOf).toEqual([0, 0, 1, 1, 1, 2, 2]);
    const slab: Slab = {
      name: "v",
      kind: "vector",
      ggufType: 0,
      cols: 0,
      bytes: 7 * 256,
      parts: content.tensors.map(({ name }, i) => ({ tensor: name, rowStart: 0, rows: 1, byteOffset: 256 * i, bytes: 256 })),
    };
    const loaded = new Uint8Array(slab.bytes);
    const upload = (_: string, offset: number, bytes: Uint8Array): void => loaded.set(bytes, offset);
    await loadWeights({ source, tensors: file.tensors, plan: { slabs: [slab], bytes: slab.bytes }, formats: formatByGgufType, upload });
    for (const [i, { data }] of content.tensors.entries())
      expect(Buffer.compare(loaded.subarray(256 * i, 256 * i + data.length), data)).toBe(0);
  });

  test("the first file without tensors", async () => {
    const apart = writeSplitGguf(content, [0, 4, 3]);
    await expectWhole(await openModelFile(nameOf(0), shelf(named(apart)).open));
  });
});

describe("a whole model", () => {
  test.each<[string, readonly GgufEntry[]]>([
    ["without a word of it", []],
    [
      "merged again, where gguf-split leaves a count of 0",
      [
        ["split.no", "u16", 0],
        ["split.count", "u16", 0],
        ["split.tensors.count", "i32", 7],
      ],
    ],
    [
      "split into one",
      [
        ["split.no", "u16", 0],
        ["split.count", "u16", 1],
        ["split.tensors.count", "i32", 7],
      ],
    ],
  ])("%s", async (_, entries) => {
    const bytes = writeGguf({ ...content, metadata: [...content.metadata, ...entries] });
    for (const location of [bytes, [bytes], new File([bytes], "m.gguf"), new File([bytes], nameOf(0, 1)), nameOf(0, 1)]) {
      const { open, asked } = shelf(named([bytes]));
      const model = await openModelFile(location, open);
      await expectWhole(model);
      expect(model.sources).toEqual([model.source]);
      expect(model.file).toEqual(await openGguf(bytesSource(bytes)));
      expect(asked).toHaveLength(1);
    }
  });
});
