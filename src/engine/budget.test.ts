import { expect, test } from "vitest";
import { kvPageBytes, kvTailBytes } from "../base/layout.ts";
import type { Caps } from "../gpu/caps.ts";
import type { ModelConfig } from "../models/config.ts";
import { chooseContextLength, planKv, planKvPool } from "./budget.ts";
import { chooseKv, type KvOptions } from "./kv_options.ts";

const config = { contextLength: 131072, numKvHeads: 8, headDim: 128 } as ModelConfig;
const caps = { maxBindingBytes: 128 << 20, maxBufferBytes: 256 << 20 } as Caps;

test("the default context is the model's, up to 4096", () => {
  expect(chooseContextLength(config, undefined)).toBe(4096);
  expect(chooseContextLength({ ...config, contextLength: 512 }, undefined)).toBe(512);
  expect(chooseContextLength(config, 100000)).toBe(100000);
});

test("a context beyond the model's or no whole number is refused with what to do", () => {
  expect(() => chooseContextLength(config, 131073)).toThrow(
    expect.objectContaining({ code: "CONTEXT.limit", detail: { have: 131072, need: 131073 } }),
  );
  for (const wish of [0, -1, 1.5, Number.NaN]) {
    expect(() => chooseContextLength(config, wish)).toThrow(expect.objectContaining({ code: "REQUEST.contextLength" }));
  }
});

test("pages of a layer fit one binding, or the error says which context would", () => {
  const layout = planKv({ config, contextLength: 4096, caps, choice: chooseKv(undefined, "f32") });
  expect(layout).toMatchObject({ pageTokens: 32, maxPages: 128, type: "f32" });
  let fits = 0;
  try {
    planKv({ config, contextLength: 131072, caps, choice: chooseKv(undefined, "f32") });
  } catch (error) {
    fits = (error as { detail: { contextLength: number } }).detail.contextLength;
  }
  expect(fits).toBe(16384);
  expect(
    planKv({ config, contextLength: fits, caps, choice: chooseKv(undefined, "f32") }).maxPages * kvPageBytes(layout),
  ).toBeLessThanOrEqual(caps.maxBindingBytes);
});

test("a budget is pages, tails counted, as far as a binding and the layout go", () => {
  const pool = (kv: KvOptions): number => {
    const layout = planKv({ config, contextLength: 4096, caps, choice: chooseKv(kv, "f32") });
    return planKvPool({ layout, numLayers: 2, caps, kv }).maxPages;
  };
  const { type, pageTokens } = chooseKv({ type: "q4" }, "f32");
  const q4 = planKv({ config, contextLength: 4096, caps, choice: { type, pageTokens, order: "paged" } });
  expect(pool({})).toBe(128);
  expect(pool({ type: "q4", budget: 2 * (kvTailBytes(q4) + 10 * kvPageBytes(q4)) })).toBe(10);
  expect(pool({ budget: 1e12 })).toBe(512);
  // One range for each conversation shares nothing.
  expect(pool({ layout: "contiguous", budget: 1e12 })).toBe(128);
  expect(pool({ budget: 1 })).toBe(1);
});
