import { afterEach, expect, test, vi } from "vitest";
import { errorCode } from "../testing/typed_error.ts";
import { createEngine } from "../worker/create_engine.ts";
import { estimate } from "../worker/estimate.ts";
import { openModels } from "../worker/open_models.ts";
import { checkEnvironment } from "./environment.ts";

afterEach(() => vi.unstubAllGlobals());

test("row 58: an insecure page is told so before anything is loaded", async () => {
  vi.stubGlobal("isSecureContext", false);
  vi.stubGlobal("navigator", {});
  vi.stubGlobal("crypto", {});
  const fetch = vi.fn<typeof globalThis.fetch>();
  vi.stubGlobal("fetch", fetch);
  const model = "http://insecure.test/a.gguf";
  for (const call of [createEngine({ model }), estimate({ model }), openModels()]) expect(await errorCode(call)).toBe("ENV.insecure");
  expect(() => checkEnvironment()).toThrow(/WebGPU, hashing, locks, storage/);
  expect(fetch).not.toHaveBeenCalled();
});

test("Node and secure pages pass", () => {
  checkEnvironment();
  vi.stubGlobal("isSecureContext", true);
  checkEnvironment();
});
