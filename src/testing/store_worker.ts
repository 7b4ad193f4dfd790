// The worker of open.browser.test.ts: opens the model store where sync access handles are, stores one file and stays.

import { chunkBytes } from "../store/chunk_store.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import { openNamedStore } from "../store/open.ts";
import { seededBytes } from "./chunk_cases.ts";

export interface StoreOrder {
  /** Of the store. */
  readonly name: string;
  readonly url: string;
  readonly bytes: number;
  readonly seed: number;
}

function answer(text: string): void {
  globalThis.postMessage(text, { transfer: [] });
}

globalThis.addEventListener("message", ({ data }: MessageEvent<StoreOrder>) => {
  const { name, url, bytes: length, seed } = data;
  const work = async (): Promise<string> => {
    const store = await openNamedStore(name, {});
    if (store === undefined) throw new Error("no storage in this worker");
    const bytes = seededBytes(length, seed);
    const file = await store.open({ url, revision: "1", name: "model.gguf", bytes: length, sha256: null }, noDiagnostics());
    for (let index = 0; index < file.chunkCount; index++)
      await file.put(index, bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes));
    await file.complete({ sha256: null, verified: false });
    await store.holdModel(file.manifest.model);
    return store.tier;
  };
  work().then(answer, (thrown: unknown) => answer(`failed: ${String(thrown)}`));
});
