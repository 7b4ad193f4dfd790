// What an image is told apart by: versions of stored files, and what files without a version hold.
import { expect, test } from "vitest";
import { noDiagnostics } from "../store/diagnostics.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { openModelFile } from "../weights/gguf/model_file.ts";
import { openSource } from "../weights/source.ts";
import { type ModelOrigin, originFacts, placeOfImage } from "./image_place.ts";
import { createLoadReport } from "./progress.ts";
import type { StoreOptions } from "./session.ts";

async function originOf(location: File | Uint8Array<ArrayBuffer>, store: StoreOptions = {}): Promise<ModelOrigin> {
  const files = await openModelFile(location, (part) => openSource(part), {});
  return {
    storage: { models: undefined, diagnostics: noDiagnostics(), warning: undefined },
    files: { ...files, weightFiles: 1 },
    reopen: () => expect.fail("nothing is repaired"),
    again: { signal: new AbortController().signal, report: createLoadReport(undefined) },
    store,
    location,
  };
}

function fileOf(seed: number): File {
  return new File([tinyModel({ seed })], "m.gguf", { lastModified: 1002 });
}

test("files of one name, size and date that hold other weights have other facts", async () => {
  const [a, again, b] = [fileOf(1), fileOf(1), fileOf(2)];
  expect(a.size).toBe(b.size);
  const facts = await originFacts(await originOf(a), false);
  expect(await originFacts(await originOf(again), false)).toEqual(facts);
  expect(await originFacts(await originOf(b), false)).not.toEqual(facts);
  expect(await originFacts(await originOf(a), true)).not.toEqual(facts);
});

test("one weight changed in one tensor makes another image", async () => {
  const bytes = tinyModel({ seed: 1 });
  const { files } = await originOf(bytes);
  const facts = await originFacts(await originOf(new File([bytes], "m.gguf")), false);
  for (const { offset } of files.file.tensors.values()) {
    const changed = bytes.slice();
    changed[offset + 1] ^= 1;
    expect(await originFacts(await originOf(new File([changed], "m.gguf")), false)).not.toEqual(facts);
  }
});

test("bytes, and whoever wants nothing stored, have no place", async () => {
  expect(await placeOfImage(await originOf(tinyModel({})))).toBeUndefined();
  expect(await placeOfImage(await originOf(fileOf(1), { mode: "off" }))).toBeUndefined();
});
