import { expect, test } from "vitest";
import { untilAborted } from "./abort.ts";

const never = new Promise<never>(() => undefined);

test("a signal ends the waiting, before it or during it", async () => {
  const controller = new AbortController();
  const waiting = untilAborted(never, controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "AbortError" });
  await expect(untilAborted(never, controller.signal)).rejects.toMatchObject({ code: "AbortError" });
});

test("without an abort the promise has its say", async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(3), signal)).toBe(3);
  expect(await untilAborted(Promise.resolve(3), undefined)).toBe(3);
  await expect(untilAborted(Promise.reject(new Error("own")), signal)).rejects.toThrow("own");
});
