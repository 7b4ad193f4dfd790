// Hugging Face folders: whatever way they are given, the tensors are those of the whole file; and what is refused.

import { describe, expect, test } from "vitest";
import { asFiles, tinyTensors, writeFolder, writeSafetensors, type FolderFiles } from "../../testing/safetensors_writer.ts";
import { shelf } from "../../testing/shard_shelf.ts";
import { errorCode, typedError } from "../../testing/typed_error.ts";
import { chunkBytes } from "../../store/chunk_store.ts";
import type { ModelLocation } from "../source.ts";
import { type ModelFolder, openFolder } from "./folder.ts";
import { folderPlaces } from "./places.ts";

const tensors = tinyTensors("BF16");
const whole = writeFolder(tensors);
const parts = writeFolder(tensors, 3);
const part = (index: number): string => `model-0000${index}-of-00003.safetensors`;

function open(location: ModelLocation, served: FolderFiles = {}): { folder: Promise<ModelFolder>; shelf: ReturnType<typeof shelf> } {
  const places = folderPlaces(location);
  if (places === undefined) throw new Error("no folder");
  const files = shelf(served);
  return { folder: openFolder(places, { open: files.open }), shelf: files };
}

function at(prefix: string, files: FolderFiles, suffix = ""): FolderFiles {
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`${prefix}${name}${suffix}`, bytes]));
}

/** The same folder with a file's text replaced. */
function changed(files: FolderFiles, name: string, change: (text: string) => string): FolderFiles {
  return { ...files, [name]: new TextEncoder().encode(change(new TextDecoder().decode(files[name]))) };
}

function without(files: FolderFiles, ...names: string[]): FolderFiles {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
}

/** The folder in parts with another index. */
function indexed(value: unknown): FolderFiles {
  return changed(parts, "model.safetensors.index.json", () => (typeof value === "string" ? value : JSON.stringify(value)));
}

async function expectWhole(folder: ModelFolder): Promise<void> {
  expect([...folder.tensors.keys()].toSorted()).toEqual(tensors.map(({ name }) => name).toSorted());
  for (const { name, data, shape, dtype } of tensors) {
    const tensor = folder.tensors.get(name);
    expect(tensor).toMatchObject({ shape, dtype, bytes: data.length });
    expect(Buffer.compare(await folder.source.read(tensor?.offset ?? 0, data.length), data), name).toBe(0);
  }
  expect(folder.config).toMatchObject({ model_type: "llama" });
  expect(await folder.readJson("tokenizer.json")).toEqual({ model: {} });
  expect(await folder.readText("chat_template.jinja")).toBeUndefined();
}

describe("a folder is its tensors, given as", () => {
  const prefix = "https://host.example/models/m/";
  const query = "?download=true#x";
  const hub = (files: FolderFiles, revision = ""): FolderFiles => at("hf:owner/repo/", files, revision);

  test.each<[string, ModelLocation, FolderFiles, number]>([
    ["a repository", "hf:owner/repo", hub(whole), 1],
    ["a repository at a revision", "hf:owner/repo@v1", hub(whole, "@v1"), 1],
    ["a repository of several files", "hf:owner/repo", hub(parts), 3],
    ["its config.json", `${prefix}config.json${query}`, at(prefix, whole, query), 1],
    ["a URL of its config.json", new URL(`${prefix}config.json`), at(prefix, parts), 3],
    ["its weights", `${prefix}model.safetensors`, at(prefix, whole), 1],
    [
      "weights of any name",
      `${prefix}w.safetensors`,
      at(prefix, { ...without(whole, "model.safetensors"), "w.safetensors": whole["model.safetensors"] }),
      1,
    ],
    ["its index", `${prefix}model.safetensors.index.json`, at(prefix, parts), 3],
    ["one of its parts", `${prefix}${part(2)}`, at(prefix, parts), 3],
    ["a hub path of a part", `hf:owner/repo/${part(2)}@v1`, hub(parts, "@v1"), 3],
    [
      "an address of a hub",
      "https://hub.example/owner/repo/resolve/main/config.json",
      at("https://hub.example/owner/repo/resolve/main/", whole),
      1,
    ],
    ["files", asFiles(whole), {}, 1],
    ["files in several parts, mixed", asFiles(parts).toReversed(), {}, 3],
    ["files without an index", asFiles(without(parts, "model.safetensors.index.json")), {}, 3],
    ["all addresses", Object.keys(parts).map((name) => `${prefix}${name}`), at(prefix, parts), 3],
  ])("%s", async (_, location, served, weightFiles) => {
    const { folder, shelf: files } = open(location, served);
    const opened = await folder;
    await expectWhole(opened);
    expect(opened.weightFiles).toBe(weightFiles);
    expect(opened.sources.length).toBe(weightFiles + (weightFiles > 1 && files.opened.includes("model.safetensors.index.json") ? 3 : 2));
    expect(files.most()).toBe(1);
    expect(files.closed).toEqual([]);
    opened.source.close?.();
    expect(files.closed.toSorted()).toEqual(files.opened.toSorted());
  });

  test("a GGUF file, and files of it, are no folder", () => {
    for (const location of [
      "hf:a/b/c.gguf",
      "https://h.example/m.gguf",
      new File([], "m.gguf"),
      new Uint8Array(4),
      ["a-00001-of-00002.gguf"],
    ]) {
      expect(folderPlaces(location)).toBeUndefined();
    }
  });

  test("weights begin at the start of the address space, each file on a chunk", async () => {
    const opened = await open(asFiles(parts)).folder;
    const starts = new Set([...opened.tensors.values()].map(({ offset }) => Math.floor(offset / chunkBytes)));
    expect(starts).toEqual(new Set([0, 1, 2]));
  });
});

describe("row 18: what is missing or foreign", () => {
  test.each<[string, FolderFiles, string, string[]]>([
    ["no config.json", without(whole, "config.json"), "MODEL.folder", ["config.json"]],
    ["no tokenizer", without(whole, "tokenizer.json"), "MODEL.folder", ["tokenizer.json"]],
    ["no weights", without(whole, "model.safetensors"), "MODEL.folder", ["model.safetensors"]],
    ["a part", without(parts, part(2)), "MODEL.shards", [part(2)]],
    ["parts, without an index", without(parts, part(1), part(3), "model.safetensors.index.json"), "MODEL.shards", [part(1), part(3)]],
  ])("%s", async (_, files, code, missing) => {
    const { folder, shelf: used } = open(asFiles(files));
    expect(await typedError(folder)).toMatchObject({ code, detail: { missing } });
    expect(used.closed.toSorted()).toEqual(used.opened.toSorted());
  });

  test("of a repository with GGUF files only, the error says how to name one", async () => {
    const { message, code } = await typedError(open("hf:owner/repo", {}).folder);
    expect(code).toBe("MODEL.folder");
    expect(message).toContain("hf:owner/repo/file.gguf");
  });

  test("two files of one name", () => {
    expect(() => folderPlaces([...asFiles(whole), new File([], "config.json")])).toThrow(/Two of the files are called config.json/);
  });

  test("a tensor in two files, not in the index, or not in its file", async () => {
    const half = tensors.length / 3;
    const twice = { ...parts, [part(2)]: writeSafetensors(tensors.slice(0, Math.ceil(half) * 2)) };
    expect(await errorCode(open(asFiles(twice)).folder)).toBe("MODEL.shards");
    const swapped = { ...parts, [part(1)]: parts[part(2)], [part(2)]: parts[part(1)] };
    expect(await errorCode(open(asFiles(swapped)).folder)).toBe("MODEL.shards");
    const short = { ...parts, [part(3)]: writeSafetensors(tensors.slice(-1)) };
    expect(await errorCode(open(asFiles(short)).folder)).toBe("MODEL.shards");
    const more = changed(parts, "model.safetensors.index.json", (text) =>
      text.replace('"weight_map":{', `"weight_map":{"ghost":"${part(1)}",`),
    );
    expect(await errorCode(open(asFiles(more)).folder)).toBe("MODEL.shards");
  });
});

describe("a hostile index", () => {
  test.each([
    "../model.safetensors",
    "a/model.safetensors",
    "a\\model.safetensors",
    "/etc/model.safetensors",
    "https://evil.example/m.safetensors",
    "C:model.safetensors",
    "..%2Fmodel.safetensors",
    "m.safetensors?x=1",
    ".safetensors",
    "config.json",
    "",
    5,
    null,
    ["m.safetensors"],
  ])("refuses %o as the name of a file", async (file) => {
    const { folder, shelf: used } = open(asFiles(indexed({ weight_map: { a: file } })));
    expect(await errorCode(folder)).toBe("FORMAT.type");
    expect(used.closed.toSorted()).toEqual(used.opened.toSorted());
  });

  test.each<[string, unknown, string]>([
    ["no JSON", "{", "FORMAT.json"],
    ["a list", [], "FORMAT.json"],
    ["no weight_map", { metadata: {} }, "FORMAT.type"],
    ["an empty weight_map", { weight_map: {} }, "FORMAT.type"],
    ["a tensor twice", '{"weight_map":{"a":"m.safetensors","a":"n.safetensors"}}', "FORMAT.dup"],
    [
      "2,000 files",
      { weight_map: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`t${i}`, `${i}.safetensors`])) },
      "LIMIT.shards",
    ],
  ])("%s", async (_, value, code) => {
    expect(await errorCode(open(asFiles(indexed(value))).folder)).toBe(code);
  });
});

test("a config.json that is no JSON, and a server's page instead of a file that is not there", async () => {
  expect(await errorCode(open(asFiles(changed(whole, "config.json", () => "{"))).folder)).toBe("FORMAT.json");
  const page = new TextEncoder().encode("<!DOCTYPE html><html></html>");
  const folder = await open(asFiles({ ...whole, "chat_template.jinja": page, "generation_config.json": page })).folder;
  expect(await folder.readText("chat_template.jinja")).toBeUndefined();
  expect(await folder.readJson("generation_config.json")).toBeUndefined();
});
