import { expect, test } from "vitest";
import { untilAborted } from "./abort.ts";
import { ShaderloomError, throwIfAborted } from "./errors.ts";

const never = new Promise<never>(() => undefined);

test("a signal ends the waiting, before it or during it", async () => {
  const controller = new AbortController();
  const waiting = untilAborted(never, controller.signal);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "AbortError" });
  await expect(untilAborted(never, controller.signal)).rejects.toMatchObject({ code: "AbortError" });
});

test("who aborts says why in an AbortError of ours; any other reason is the caller's own", async () => {
  const unloaded = new ShaderloomError("AbortError", "It was unloaded.");
  await expect(untilAborted(never, AbortSignal.abort(unloaded))).rejects.toBe(unloaded);
  expect(() => throwIfAborted(AbortSignal.any([AbortSignal.abort(unloaded)]))).toThrow(unloaded);
  const message = "The call was aborted by its signal.";
  for (const reason of [undefined, "enough", new ShaderloomError("BUSY", "It is not for us to say.")]) {
    await expect(untilAborted(never, AbortSignal.abort(reason))).rejects.toMatchObject({ code: "AbortError", message });
  }
});

test("without an abort the promise has its say", async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(3), signal)).toBe(3);
  expect(await untilAborted(Promise.resolve(3), undefined)).toBe(3);
  await expect(untilAborted(Promise.reject(new Error("own")), signal)).rejects.toThrow("own");
});
