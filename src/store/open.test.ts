import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { seededBytes } from "../testing/chunk_cases.ts";
import { errorCode } from "../testing/typed_error.ts";
import { chunkBytes } from "./chunk_store.ts";
import { openModelStore } from "./open.ts";

const folder = mkdtempSync(join(tmpdir(), "shaderloom-store-"));
afterAll(() => rmSync(folder, { recursive: true }));

const file = new File([seededBytes(chunkBytes + 5, 1)], "local.gguf", { lastModified: 7 });

test("without a database and a folder there is no store", async () => {
  expect(await openModelStore()).toBeUndefined();
  expect(await openModelStore({ tier: "opfs" })).toBeUndefined();
});

test("in a folder models stay, and other stores of the process see them and their locks", async () => {
  const store = await openModelStore({ folder });
  const stored = await store?.importFile(file);
  store?.close();
  const mine = await openModelStore({ folder });
  const other = await openModelStore({ folder });
  if (mine === undefined || other === undefined || stored === undefined) throw new Error("no store in the folder");
  expect(mine.tier).toBe("files");
  expect(await mine.list()).toEqual([stored]);
  expect(await mine.verify(stored.id)).toEqual({ chunks: 2, damaged: 0 });
  const use = await other.holdModel(stored.id);
  expect(await errorCode(mine.delete(stored.id))).toBe("STORE.busy");
  use.release();
  await mine.delete(stored.id);
  expect(await other.list()).toEqual([]);
  mine.close();
  other.close();
});

test("a store in memory is one's own", async () => {
  const [mine, other] = [await openModelStore({ tier: "memory" }), await openModelStore({ tier: "memory" })];
  const stored = await mine?.importFile(file);
  expect([(await mine?.list())?.length, (await other?.list())?.length]).toEqual([1, 0]);
  const use = await other?.holdModel(stored?.id ?? "");
  await mine?.delete(stored?.id ?? "");
  use?.release();
  mine?.close();
  other?.close();
});
