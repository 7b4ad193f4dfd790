import { expect, test } from "vitest";
import { abortError, ShaderloomError } from "../base/errors.ts";
import { readChoices } from "./choices.ts";
import { openMemory, type Shelf } from "./memory.ts";

/** A shelf over one value; `mine` as a lock would say. */
function shelfOf(held: { value?: unknown }, mine = true): Shelf {
  const write = async (written: unknown): Promise<void> => void (held.value = structuredClone(written));
  return { mine, read: async () => held.value, write, close: () => undefined };
}

const trials = ["fast in decode"];

test("a page that goes away while something runs is no proof; twice is taken for one", async () => {
  const held: { value?: unknown } = {};
  const killed = await openMemory(shelfOf(held));
  expect(await killed.attempt(trials)).toBe(true);
  const second = await openMemory(shelfOf(held));
  expect(second.quiet).toBe(true);
  await second.settle();
  expect(readChoices(held.value)).toMatchObject({ trying: [], struck: trials, lost: [] });
  const third = await openMemory(shelfOf(held));
  expect(third.quiet).toBe(false);
  await third.attempt(trials);
  await (await openMemory(shelfOf(held))).settle();
  expect(readChoices(held.value)).toMatchObject({ trying: [], struck: [], lost: trials });
});

test("what ran well once is no longer suspected", async () => {
  const held: { value?: unknown } = {};
  await (await openMemory(shelfOf(held))).attempt(trials);
  await (await openMemory(shelfOf(held))).settle();
  const memory = await openMemory(shelfOf(held));
  await memory.attempt(trials);
  await memory.settle();
  expect(readChoices(held.value)).toMatchObject({ trying: [], struck: [], lost: [] });
});

test("an abort blames nobody, a lost device what ran then", async () => {
  const held: { value?: unknown } = {};
  const aborted = await openMemory(shelfOf(held));
  await aborted.attempt(trials);
  await aborted.conclude(abortError());
  expect(readChoices(held.value)).toMatchObject({ trying: [], struck: [], lost: [] });
  const losing = await openMemory(shelfOf(held));
  expect(losing.quiet).toBe(false);
  await losing.attempt(trials);
  await losing.conclude(new ShaderloomError("GPU.lost", "The GPU was lost. Load the model again."));
  expect(readChoices(held.value)).toMatchObject({ trying: [], struck: [], lost: trials });
});

test("beside another load nothing is believed of its trials, tried or written", async () => {
  const held: { value?: unknown } = {};
  await (await openMemory(shelfOf(held))).attempt(trials);
  const written = held.value;
  const beside = await openMemory(shelfOf(held, false));
  expect(beside.quiet).toBe(true);
  await beside.attempt(["other in decode"]);
  await beside.settle();
  expect(held.value).toBe(written);
});
