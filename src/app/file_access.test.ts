import { expect, test } from "vitest";
import { sourceOfFiles } from "./file_access.ts";

test("one file is a model, several are its shards in order, none is nothing", () => {
  const [one, two] = [new File([], "m-00001-of-00002.gguf"), new File([], "m-00002-of-00002.gguf")];
  expect(sourceOfFiles([one])).toEqual({ location: one, name: one.name });
  expect(sourceOfFiles([two, one])).toEqual({ location: [one, two], name: one.name });
  expect(sourceOfFiles([])).toBeUndefined();
});
