import { describe, expect, test } from "vitest";
import { kvKeyWords, kvTypes } from "../base/kv_types.ts";
import { checkKvFits } from "../engine/kv_fits.ts";
import { chooseKv, contextFull, kvPageSizes, kvPolicies, smallerType } from "../engine/kv_options.ts";
import { refusal } from "../testing/refusal.ts";
import { checkEstimateOptions } from "./estimate_options.ts";
import { checkKvOptions } from "./kv_option_checks.ts";

const window = { policy: "window", keep: 1024 };

describe("the kv option", () => {
  test("all types, page sizes, layouts and policies pass", () => {
    for (const type of kvTypes) expect(checkKvOptions({ type }, {}).type).toBe(type);
    for (const pageTokens of kvPageSizes) expect(checkKvOptions({ pageTokens }, {}).pageTokens).toBe(pageTokens);
    for (const layout of ["paged", "contiguous"]) expect(checkKvOptions({ layout }, {}).layout).toBe(layout);
    for (const policy of kvPolicies) expect(checkKvOptions({ evict: { ...window, policy } }, {}).evict?.policy).toBe(policy);
    expect(checkKvOptions({ budget: 1, prefixCache: false, layout: "contiguous", type: "f16" }, {})).toMatchObject({ budget: 1 });
    expect(checkKvOptions({ evict: { policy: "snapkv", keep: 64, sink: 0 } }, {}).evict).toEqual({ policy: "snapkv", keep: 64, sink: 0 });
    expect(checkKvOptions({ evict: { policy: "snapkv", keep: 68 } }, { contextLength: 68 }).evict?.keep).toBe(68);
  });
  test.each(["q4", "kivi2"] as const)("repair goes with %s", (type) => {
    expect(checkEstimateOptions({ model: "a.gguf", kv: { type, repair: "gear" } }).kv).toMatchObject({ type, repair: "gear" });
    expect(chooseKv({ type, repair: "gear" }, "f32")).toMatchObject({ type, repair: "gear", pageTokens: 64 });
  });
  test("an estimate takes it too", () => {
    expect(checkEstimateOptions({ model: "a.gguf", kv: { type: "q8_0" } })).toEqual({ model: "a.gguf", kv: { type: "q8_0" } });
    expect(refusal(() => checkEstimateOptions({ model: "a.gguf", kv: { type: "q5" } } as never)).code).toBe("REQUEST.kv");
  });
  test.each([
    ["kv", 5, "an object of fields"],
    ["kv.size", { size: 1 }, "the fields are type, repair, layout, pageTokens, budget, prefixCache, evict"],
    ["kv.type", { type: "q5_0" }, 'one of "f32", "f16", "q8_0", "bfp4", "q4", "kivi2"'],
    ["kv.type", { type: null }, "one of"],
    ["kv.repair", { repair: true, type: "q4" }, '"gear"'],
    ["kv.repair", { repair: "gear" }, "Set one of these"],
    ["kv.repair", { repair: "gear", type: "q8_0" }, 'the type is "q8_0"'],
    ["kv.layout", { layout: "ring" }, '"paged", "contiguous"'],
    ["kv.layout", { layout: "contiguous", type: "q4" }, "Leave layout out"],
    ["kv.prefixCache", { layout: "contiguous", prefixCache: true }, "leave the other out"],
    ["kv.evict", { layout: "contiguous", evict: window }, "leave the other out"],
    ["kv.evict", { type: "q8_0", evict: window }, 'Set kv.type to "f16" or "f32"'],
    ["kv.pageTokens", { type: "q4", pageTokens: 16 }, "32, 64 or 128"],
    ["kv.pageTokens", { type: "kivi2", pageTokens: 8 }, "32, 64 or 128"],
    ["kv.pageTokens", { pageTokens: 48 }, "one of 8, 16, 32, 64, 128"],
    ["kv.pageTokens", { pageTokens: "32" }, "one of 8"],
    ["kv.budget", { budget: 0 }, "an integer from 1"],
    ["kv.budget", { budget: Number.NaN }, "an integer from 1"],
    ["kv.budget", { budget: Infinity }, "an integer from 1"],
    ["kv.prefixCache", { prefixCache: "no" }, "true or false"],
    ["kv.evict", { evict: "window" }, "an object of fields"],
    ["kv.evict.policy", { evict: { keep: 512 } }, 'one of "window", "snapkv", "keyformer"'],
    ["kv.evict.policy", { evict: { policy: "h2o", keep: 512 } }, "one of"],
    ["kv.evict.keep", { evict: { policy: "window" } }, "an integer from 68"],
    ["kv.evict.keep", { evict: { policy: "window", keep: 67 } }, "an integer from 68"],
    ["kv.evict.keep", { evict: { policy: "window", keep: 100, sink: 64 } }, "an integer from 128"],
    ["kv.evict.keep", { evict: { policy: "window", keep: 4096 } }, "to 2048", 2048],
    ["kv.evict", { evict: { policy: "window", keep: 64 } }, "Set contextLength to 68", 32],
    ["kv.evict.sink", { evict: { policy: "window", keep: 512, sink: -1 } }, "an integer from 0 to 1024"],
  ])("%s of %o is refused with what to do", (path, value, range, contextLength?: number) => {
    const error = refusal(() => checkKvOptions(value, { contextLength }));
    expect(error.code).toBe("REQUEST.kv");
    expect(error.message).toContain(path);
    expect(error.message).toContain(range);
  });
  test("what the header tells is checked against it", () => {
    const context = { contextLength: 256, pageTokens: 32, groupBytes: 1000, tailBytes: 0 };
    const evict = { policy: "window", keep: 256 } as const;
    expect(() => checkKvFits({ budget: 1000 }, context)).not.toThrow();
    expect(() => checkKvFits({ evict, budget: 8000 }, context)).not.toThrow();
    const kept = refusal(() => checkKvFits({ evict, budget: 7999 }, context));
    expect(kept.detail).toEqual({ param: "kv.evict.keep", have: 7999, need: 8000 });
    expect(refusal(() => checkKvFits({ evict: { policy: "window", keep: 257 } }, context)).message).toContain("Keep at most 256");
    const small = refusal(() => checkKvFits({ budget: 999 }, context));
    expect(small.code).toBe("REQUEST.kv");
    expect(small.detail).toEqual({ param: "kv.budget", have: 999, need: 1000 });
    // What is not yet a page takes some, too.
    const tailed = refusal(() => checkKvFits({ budget: 4559 }, { ...context, tailBytes: 3560 }));
    expect(tailed.detail).toEqual({ param: "kv.budget", have: 4559, need: 4560 });
  });
});

describe("a conversation that has no room", () => {
  test("is told what bounds it and what would make room", () => {
    const context = contextFull(300, 256, { type: "f32", byBudget: false });
    expect(context).toMatchObject({ code: "CONTEXT.full", detail: { have: 300, max: 256 } });
    expect(context.message).toContain("the context holds 256, answer included");
    expect(context.message).toContain("a larger contextLength, or with kv.evict");
    const budget = contextFull(300, 256, { type: "f16", byBudget: true });
    expect(budget.code).toBe("CONTEXT.full");
    expect(budget.message).toContain('a larger kv.budget or kv.type "q8_0", or with kv.evict');
    expect(contextFull(300, 256, { type: "kivi2", byBudget: true }).message).toContain("a larger kv.budget, or with");
  });
  test("types name one that takes less, and none that loses much", () => {
    const headDim = 64;
    const bytes = (type: (typeof kvTypes)[number]): number => kvKeyWords({ type, headDim, pageTokens: 64 });
    for (const type of kvTypes) {
      const next = smallerType(type);
      expect(next === undefined).toBe(["bfp4", "q4", "kivi2"].includes(type));
      if (next) expect(bytes(next)).toBeLessThan(bytes(type));
    }
  });
});

describe("what follows where nothing is said", () => {
  test("the type follows the activations, the page size the type", () => {
    const shared = { order: "paged", prefixCache: true };
    expect(chooseKv(undefined, "f32")).toMatchObject({ ...shared, type: "f32", pageTokens: 32 });
    expect(chooseKv(undefined, "int8")).toMatchObject({ type: "f32" });
    expect(chooseKv({}, "f16")).toMatchObject({ type: "f16", pageTokens: 32 });
    expect(chooseKv({ type: "q4" }, "f16")).toMatchObject({ type: "q4", pageTokens: 64 });
    expect(chooseKv({ type: "q4", pageTokens: 32 }, "f16")).toMatchObject({ pageTokens: 32 });
  });
  test("one range for each conversation shares no prefixes", () => {
    expect(chooseKv({ layout: "contiguous" }, "f32")).toMatchObject({ order: "contiguous", prefixCache: false });
    expect(chooseKv({ prefixCache: false }, "f32")).toMatchObject({ order: "paged", prefixCache: false });
  });
});
