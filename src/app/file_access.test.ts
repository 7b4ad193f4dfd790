import { expect, test } from "vitest";
import { readDrop, sourceOfFiles } from "./file_access.ts";

test("one file is a model, several are its shards in order, none is nothing", () => {
  const [one, two] = [new File([], "m-00001-of-00002.gguf"), new File([], "m-00002-of-00002.gguf")];
  expect(sourceOfFiles({ files: [one] })).toEqual({ location: one, name: one.name });
  expect(sourceOfFiles({ files: [two, one] })).toEqual({ location: [one, two], name: one.name });
  expect(sourceOfFiles({ files: [] })).toBeUndefined();
});

test("a folder is called by its name, its files by their weights", () => {
  const files = ["config.json", "tokenizer.json", "model.safetensors"].map((name) => new File([], name));
  expect(sourceOfFiles({ files })?.name).toBe("model.safetensors");
  expect(sourceOfFiles({ files, folder: "tiny" })?.name).toBe("tiny");
});

test("a dropped folder gives the files in it that a model may have, in however many portions", async () => {
  class FakeFileEntry {
    readonly isFile = true;
    readonly name: string;
    constructor(name: string) {
      this.name = name;
    }
    file(done: (file: File) => void): void {
      done(new File([], this.name));
    }
  }
  class FakeDirectoryEntry {
    readonly isDirectory = true;
    readonly isFile = false;
    readonly name = "tiny";
    createReader(): { readEntries(done: (entries: unknown[]) => void): void } {
      const portions = [["config.json", "README.md"], ["model.safetensors"]].map((names) => names.map((name) => new FakeFileEntry(name)));
      return { readEntries: (done) => done([...(portions.shift() ?? []), ...(portions.length === 1 ? [new FakeDirectoryEntry()] : [])]) };
    }
  }
  const items = [{ kind: "file", webkitGetAsEntry: () => new FakeDirectoryEntry() }];
  const picked = await readDrop({ files: [new File([], "tiny")], items } as unknown as DataTransfer);
  expect(picked.folder).toBe("tiny");
  expect(picked.files.map(({ name }) => name)).toEqual(["config.json", "model.safetensors"]);
});
