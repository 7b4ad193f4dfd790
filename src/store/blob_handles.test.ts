import { describe, expect, test } from "vitest";
import { type BlobHandles, blobHandles } from "./blob_handles.ts";

interface Shelf {
  readonly handles: BlobHandles;
  readonly blobs: Map<string, Blob>;
  /** Indices of each transaction. */
  readonly fetched: Array<readonly number[]>;
}

function shelf(count: number): Shelf {
  const blobs = new Map(Array.from({ length: count }, (_, i) => [`a/${i}`, new Blob([String(i)])]));
  const fetched: Array<readonly number[]> = [];
  const handles = blobHandles(async (file, indices) => {
    fetched.push(indices);
    return indices.map((index) => blobs.get(`${file}/${index}`));
  });
  return { handles, blobs, fetched };
}

describe("handles of stored chunks", () => {
  test("come in runs once they are asked for in order, and each is the right one", async () => {
    const { handles, blobs, fetched } = shelf(40);
    for (let index = 0; index < 40; index++) expect(await handles.take("a", index)).toBe(blobs.get(`a/${index}`));
    expect(fetched.slice(0, 4)).toEqual([[0], [2, 3, 4, 5, 6, 7, 8, 9], [1], [10, 11, 12, 13, 14, 15, 16, 17]]);
    expect(fetched.flat().filter((index, at) => fetched.flat().indexOf(index) !== at)).toEqual([]);
    expect(fetched.length).toBeLessThanOrEqual(9);
  });

  test("come one by one when they are asked for in no order", async () => {
    const { handles, blobs, fetched } = shelf(40);
    for (const index of [30, 3, 20, 1]) expect(await handles.take("a", index)).toBe(blobs.get(`a/${index}`));
    expect(fetched).toEqual([[30], [3], [20], [1]]);
  });

  test("of side by side readers are each given once", async () => {
    const { handles, blobs } = shelf(40);
    const taken = await Promise.all([...blobs.keys()].map((_, index) => handles.take("a", index)));
    expect(taken).toEqual([...blobs.values()]);
  });

  test("are fetched anew by who asks again", async () => {
    const { handles, blobs } = shelf(4);
    await handles.take("a", 0);
    await handles.take("a", 1);
    await handles.take("a", 2);
    const mended = new Blob(["mended"]);
    blobs.set("a/2", mended);
    expect(await handles.take("a", 2)).toBe(mended);
  });

  test("of what is overwritten or deleted are forgotten", async () => {
    const { handles, blobs } = shelf(20);
    await handles.take("a", 0);
    await handles.take("a", 1);
    handles.forget("a", 2);
    const other = new Blob(["other"]);
    blobs.set("a/2", other);
    expect(await handles.take("a", 2)).toBe(other);
    handles.forget("a");
    blobs.clear();
    expect(await handles.take("a", 3)).toBeUndefined();
  });

  test("that were missing when others were fetched are looked for again", async () => {
    const { handles, blobs } = shelf(3);
    for (const index of [0, 1, 2]) await handles.take("a", index);
    const late = new Blob(["late"]);
    blobs.set("a/3", late);
    expect(await handles.take("a", 3)).toBe(late);
  });

  test("a chunk that cannot be fetched fails itself alone", async () => {
    const blob = new Blob(["1"]);
    const handles = blobHandles(async (_, indices) => {
      if (indices.includes(2)) throw new Error("damaged");
      return indices.map(() => blob);
    });
    await handles.take("a", 0);
    expect(await handles.take("a", 1)).toBe(blob);
    await expect(handles.take("a", 2)).rejects.toThrow("damaged");
  });
});
