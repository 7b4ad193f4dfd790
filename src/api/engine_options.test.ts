import { describe, expect, test } from "vitest";
import { refusal } from "../testing/refusal.ts";
import { checkEngineOptions } from "./engine_options.ts";

const check = (changes: object): unknown => checkEngineOptions({ model: "model.gguf", ...changes });

describe("engine options", () => {
  test("all kinds of model pass", () => {
    for (const model of ["hf:a/b/c.gguf", new URL("https://example.test/m.gguf"), new Blob(), new ArrayBuffer(1), new Uint8Array(1)]) {
      expect(check({ model })).toMatchObject({ model });
    }
  });
  test.each([
    ["model", undefined],
    ["model", ""],
    ["model", 5],
    ["model", {}],
    ["worker", "yes"],
    ["contextLength", 0],
    ["contextLength", -1],
    ["contextLength", 1.5],
    ["contextLength", Number.NaN],
    ["contextLength", "4096"],
    ["activations", "f64"],
    ["deviceClass", "tpu"],
    ["onProgress", 5],
    ["signal", {}],
    ["hub", "token"],
    ["hub", { password: "x" }],
    ["hub", { token: 5 }],
    ["unknown", 1],
  ])("%s refuses %o", (name, value) => {
    expect(refusal(() => check({ [name]: value })).code).toBe(`REQUEST.${name}`);
  });
  test("gpu and worker: true exclude each other", () => {
    expect(refusal(() => check({ gpu: {}, worker: true })).code).toBe("REQUEST.worker");
    expect(check({ gpu: {}, worker: false })).toBeDefined();
  });
  test("no options at all", () => {
    expect(refusal(() => checkEngineOptions(undefined as never)).code).toBe("REQUEST.request");
  });
});
