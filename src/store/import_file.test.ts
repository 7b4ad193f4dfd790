import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { faultyStore } from "../testing/faulty_store.ts";
import { expectHonest, openSmallStore, smallChunk } from "../testing/small_store.ts";
import { seededBytes } from "../testing/chunk_cases.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { noDiagnostics } from "./diagnostics.ts";
import { importUrl } from "./import_file.ts";
import { memoryStore } from "./memory.ts";
import type { ModelStore } from "./model_store.ts";
import type { StoredFile } from "./stored_file.ts";

const bytes = seededBytes(4 * smallChunk + 17, 3);

function someFile(content: Uint8Array<ArrayBuffer> = bytes, lastModified = 99): File {
  return new File([content], "local.gguf", { lastModified });
}

async function copyOf(store: ModelStore, file: File): Promise<StoredFile> {
  const [found] = await store.find(await importUrl(file));
  if (found === undefined) throw new Error("not imported");
  return store.open(found, noDiagnostics());
}

describe("importing a file", () => {
  test("copies it whole, tells how far it is, and gives the model to load", async () => {
    const store = openSmallStore(memoryStore());
    const progress: number[] = [];
    const stored = await store.importFile(someFile(), { onProgress: (done, total) => progress.push(done / total) });
    expect(stored).toMatchObject({ kind: "imported", name: "local.gguf", location: `stored:${stored.id}`, complete: true, files: 1 });
    expect([stored.bytes, stored.storedBytes]).toEqual([bytes.length, bytes.length]);
    expect(progress.length).toBe(5);
    expect([...progress.toSorted((a, b) => a - b), 1]).toEqual([...progress, 1]);
    expect(await expectHonest(await copyOf(store, someFile()), bytes)).toEqual([0, 1, 2, 3, 4]);
  });

  test("again writes nothing; another file of the same name is another model", async () => {
    const faulty = faultyStore(memoryStore());
    const store = openSmallStore(faulty);
    const { id } = await store.importFile(someFile());
    const before = faulty.steps.filter(({ call }) => call === "put" || call === "set").length;
    expect((await store.importFile(someFile())).id).toBe(id);
    expect(faulty.steps.filter(({ call }) => call === "put" || call === "set").length).toBe(before);
    expect((await store.importFile(someFile(bytes, 100))).id).not.toBe(id);
    expect((await store.importFile(someFile(bytes.slice(1)))).id).not.toBe(id);
  });

  test("stops with its signal; what was stored stays, and the next import writes the rest only", async () => {
    const faulty = faultyStore(memoryStore());
    const store = openSmallStore(faulty);
    const stop = new AbortController();
    const halfWay = (done: number): void => {
      if (done === 2 * smallChunk) stop.abort();
    };
    expect(await errorCode(store.importFile(someFile(), { signal: stop.signal, onProgress: halfWay }))).toBe("AbortError");
    expect(await errorCode(store.importFile(someFile(), { signal: stop.signal }))).toBe("AbortError");
    expect((await store.list())[0]).toMatchObject({ complete: false, storedBytes: 2 * smallChunk });
    const before = faulty.steps.filter(({ call }) => call === "put").length;
    expect((await store.importFile(someFile())).complete).toBe(true);
    expect(faulty.steps.filter(({ call }) => call === "put").length - before).toBe(3);
  });

  test("row 21: a file that changes meanwhile is never complete", async () => {
    const file = someFile();
    const slice = file.slice.bind(file);
    for (const [name, part] of [
      ["refused", () => ({ arrayBuffer: () => Promise.reject(new DOMException("changed", "NotReadableError")) })],
      ["short", () => slice(0, 10)],
    ] as const) {
      const store = openSmallStore(memoryStore());
      file.slice = (start = 0, end) => (start < 2 * smallChunk ? slice(start, end) : (part() as Blob));
      const refused = await typedError(store.importFile(file));
      expect([refused.code, refused.detail["file"]], name).toEqual(["SOURCE.changed", "local.gguf"]);
      expect((await store.list())[0]).toMatchObject({ complete: false, storedBytes: 2 * smallChunk });
    }
  });

  test("a file that only looks like the one before it replaces it", async () => {
    const store = openSmallStore(memoryStore());
    const other = bytes.slice();
    other[2 * smallChunk] = 255 - (other[2 * smallChunk] ?? 0);
    const { id } = await store.importFile(someFile());
    expect((await store.importFile(someFile(other))).id).toBe(id);
    const copy = await copyOf(store, someFile());
    expect([await expectHonest(copy, other), copy.manifest.state]).toEqual([[0, 1, 2, 3, 4], "complete"]);
  });

  test("full: typed, what was stored stays", async () => {
    const error = new ShaderloomError("QUOTA.full", "There is no room. Delete something.");
    let puts = 0;
    const store = openSmallStore(
      faultyStore(memoryStore(), ({ call }) => (call === "put" && ++puts > 3 ? { kind: "fail", error } : undefined)),
    );
    expect(await errorCode(store.importFile(someFile()))).toBe("QUOTA.full");
    expect((await store.list())[0]).toMatchObject({ complete: false, storedBytes: 3 * smallChunk });
  });

  test("twice at once: the second is told", async () => {
    const store = openSmallStore(memoryStore());
    const both = await Promise.allSettled([store.importFile(someFile()), store.importFile(someFile())]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect((await store.importFile(someFile())).complete).toBe(true);
  });
});
