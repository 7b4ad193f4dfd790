import { describe, expect, test } from "vitest";
import { openSmallStore } from "../testing/small_store.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import type { KeyValue } from "./key_value.ts";
import { memoryStore } from "./memory.ts";

interface FakeHandle {
  kind: string;
  name: string;
  state: PermissionState;
  /** What a request for permission ends in; undefined: nobody can be asked. */
  answer: PermissionState | undefined;
  failure: DOMException | undefined;
  queryPermission(): Promise<PermissionState>;
  requestPermission(): Promise<PermissionState>;
  isSameEntry(other: unknown): Promise<boolean>;
  getFile(): Promise<File>;
}

function fakeHandle(path: string): FakeHandle & FileSystemFileHandle {
  const handle: FakeHandle & { path: string } = {
    kind: "file",
    name: path.split("/").at(-1) ?? path,
    path,
    state: "granted",
    answer: undefined,
    failure: undefined,
    queryPermission: async () => handle.state,
    requestPermission: async () => {
      if (handle.answer === undefined) throw new DOMException("User activation is required", "SecurityError");
      return (handle.state = handle.answer);
    },
    isSameEntry: async (other) => (other as { path?: string }).path === path,
    getFile: async () => {
      if (handle.failure !== undefined) throw handle.failure;
      return new File(["12345"], handle.name);
    },
  };
  return handle as unknown as FakeHandle & FileSystemFileHandle;
}

/** Values by reference: a real handle survives structured clone, a fake one does not. */
function referenceValues(): KeyValue {
  const values = new Map<string, unknown>();
  return {
    get: async (key) => values.get(key),
    getMany: async (keys) => keys.map((key) => values.get(key)),
    set: async (entries) => {
      for (const [key, value] of entries) values.set(key, value);
    },
    delete: async (keys) => {
      for (const key of keys) values.delete(key);
    },
    keys: async (prefix) => [...values.keys()].filter((key) => key.startsWith(prefix)).toSorted(),
    close: () => undefined,
  };
}

function openStore(keyValue: KeyValue = referenceValues()): ReturnType<typeof openSmallStore> {
  return openSmallStore({ keyValue, chunks: memoryStore().chunks });
}

describe("a remembered file", () => {
  test("is listed, read in place and forgotten; nothing of it is copied", async () => {
    const store = openStore();
    const handle = fakeHandle("/models/local.gguf");
    const model = await store.remember(handle);
    expect(model).toMatchObject({ kind: "remembered", name: "local.gguf", bytes: 5, storedBytes: 0, complete: true, files: 1 });
    expect(model.location).toBe(`stored:${model.id}`);
    expect(await store.list()).toEqual([model]);
    expect(await (await store.fileOf(model.id)).text()).toBe("12345");
    expect(await store.verify(model.id)).toEqual({ chunks: 0, damaged: 0 });
    await store.delete(model.id);
    expect(await store.list()).toEqual([]);
    expect(await errorCode(store.fileOf(model.id))).toBe("STORE.missing");
  });

  test("is remembered once, however often it is picked", async () => {
    const store = openStore();
    const first = await store.remember(fakeHandle("/a/local.gguf"));
    expect((await store.remember(fakeHandle("/a/local.gguf"))).id).toBe(first.id);
    expect((await store.remember(fakeHandle("/b/local.gguf"))).id).not.toBe(first.id);
    expect((await store.list()).length).toBe(2);
  });

  test("is asked for again: allowed, refused, or nobody to ask", async () => {
    const store = openStore();
    const handle = fakeHandle("/a/local.gguf");
    const { id } = await store.remember(handle);
    handle.state = "prompt";
    const unasked = await typedError(store.fileOf(id));
    expect([unasked.code, unasked.retryable]).toEqual(["SOURCE.permission", true]);
    handle.answer = "granted";
    expect((await store.fileOf(id)).size).toBe(5);
    handle.state = "prompt";
    handle.answer = "denied";
    expect(await errorCode(store.fileOf(id))).toBe("SOURCE.denied");
    expect(await errorCode(store.fileOf(id))).toBe("SOURCE.denied");
  });

  test("that was moved, deleted or locked away is said to be", async () => {
    const store = openStore();
    const handle = fakeHandle("/a/local.gguf");
    const { id } = await store.remember(handle);
    handle.failure = new DOMException("gone", "NotFoundError");
    expect(await errorCode(store.fileOf(id))).toBe("SOURCE.missing");
    handle.failure = new DOMException("no", "NotAllowedError");
    expect(await errorCode(store.fileOf(id))).toBe("SOURCE.denied");
    expect(await errorCode(store.remember(handle))).toBe("SOURCE.denied");
  });

  test("in use is not deleted", async () => {
    const store = openStore();
    const { id } = await store.remember(fakeHandle("/a/local.gguf"));
    const hold = await store.holdModel(id);
    expect(await errorCode(store.delete(id))).toBe("STORE.busy");
    hold.release();
    await store.delete(id);
  });

  test("whose entry is damaged is left out", async () => {
    const keyValue = referenceValues();
    const handle = fakeHandle("/a");
    const good = { name: "a", bytes: 1, createdAt: 1, handle };
    const bad = [
      null,
      5,
      {},
      { ...good, name: 1 },
      { ...good, bytes: -1 },
      { ...good, createdAt: "x" },
      { ...good, handle: { kind: "directory" } },
    ];
    await keyValue.set(bad.map((value, at) => [`handle/${at}`, value]));
    expect(await openStore(keyValue).list()).toEqual([]);
  });

  test("the last used is listed first", async () => {
    const store = openStore();
    const first = await store.remember(fakeHandle("/a"));
    await store.remember(fakeHandle("/b"));
    await new Promise((resolve) => setTimeout(resolve, 2));
    await store.touch(first.id);
    expect((await store.list())[0]?.id).toBe(first.id);
  });
});
