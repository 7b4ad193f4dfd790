import { describe, expect, test } from "vitest";
import { suggest, type SuggestionInput } from "./suggestion.ts";

/** Of a model whose keys and values cannot be made smaller. */
const same = { f32: 100e6, f16: 100e6, q8_0: 100e6, bfp4: 100e6, q4: 100e6, kivi2: 100e6 };
const gpu: SuggestionInput["gpu"] = {
  weights: 800e6,
  kvType: "f32",
  kvPerThousandTokens: 100e6,
  kvTypes: same,
  kv: 409.6e6,
  scratch: 50e6,
  atLoad: 900e6,
  total: 1259.6e6,
};
const input: SuggestionInput = {
  gpu,
  contextLength: 4096,
  fileBytes: 780e6,
  givenBytes: 2 * gpu.total,
  decodeTokensPerSecond: 20,
  acceptedContext: undefined,
};

test("what fits and is fast needs nothing", () => {
  expect(suggest(input)).toBeNull();
  expect(suggest({ ...input, givenBytes: undefined, decodeTokensPerSecond: null })).toBeNull();
});

test("where the context is what does not fit, one that does is named", () => {
  const found = suggest({ ...input, givenBytes: 1000e6 });
  // 150 MB for keys and values at 100 kB a token, in pages of 32.
  expect(found?.contextLength).toBe(1472);
  expect(found?.text).toContain("1472 tokens");
});

test("where the weights do not fit, a smaller file is named that leaves room for a conversation", () => {
  const found = suggest({ ...input, givenBytes: 700e6 });
  expect(found?.contextLength).toBeUndefined();
  // 700 - 50 - 204.8 MB are left for weights, which are 1.026 of their file.
  expect(found?.fileBytes).toBe(434e6);
  expect(found?.text).toContain("434 MB");
  expect(suggest({ ...input, givenBytes: 10e6 })?.fileBytes).toBeUndefined();
});

test("a context that the load refused is answered with the longest it takes", () => {
  expect(suggest({ ...input, acceptedContext: 4096 })).toMatchObject({ contextLength: 4096 });
});

test("a slow model is answered with the size that people can read along with", () => {
  expect(suggest({ ...input, decodeTokensPerSecond: 2.5 })?.fileBytes).toBe(390e6);
});

test("where it runs streamed, that comes first, with what to set", () => {
  const streamed = { memoryBudget: 600e6, decodeTokensPerSecond: 3.1432 };
  const found = suggest({ ...input, givenBytes: 700e6, streamed });
  expect(found?.text).toMatch(
    /^It fits streamed, at about 3\.1 tokens per second: set memoryBudget to 600000000\. Look for a file of at most 434 MB/,
  );
  expect(found?.fileBytes).toBe(434e6);
  expect(suggest({ ...input, givenBytes: 700e6, streamed: { ...streamed, decodeTokensPerSecond: 42.4 } })?.text).toContain(
    "about 42 tokens",
  );
  // What fits whole is not streamed.
  expect(suggest({ ...input, streamed })).toBeNull();
});

describe("a smaller type of keys and values", () => {
  const kvTypes = { f32: 100e6, f16: 50e6, q8_0: 26e6, bfp4: 16e6, q4: 15e6, kivi2: 9e6 };
  const typed = { ...input, gpu: { ...gpu, kvTypes } };
  test("is named for the same context, the one that loses least first, beside a context that fits", () => {
    // Of 409.6 MB of f32 half is enough where 205 MB are short, and a quarter where it is 300.
    expect(suggest({ ...typed, givenBytes: 1060e6 })).toMatchObject({ kvType: "f16", contextLength: 2080 });
    const found = suggest({ ...typed, givenBytes: 960e6 });
    expect(found?.kvType).toBe("q8_0");
    expect(found?.text).toBe(
      'With keys and values as q8_0 it would fit, at 26 MB per 1,000 tokens instead of 100 MB: set kv: { type: "q8_0" }. ' +
        "With a context of 1088 tokens it would fit.",
    );
    expect(suggest({ ...typed, givenBytes: 920e6 })?.kvType).toBe("q4");
  });
  test("stands alone where no useful context would fit otherwise", () => {
    const found = suggest({ ...typed, gpu: { ...typed.gpu, kvTypes: { ...kvTypes, q4: 5e6 } }, givenBytes: 880e6 });
    expect(found).toMatchObject({ kvType: "q4" });
    expect(found?.contextLength).toBeUndefined();
    expect(found?.fileBytes).toBeUndefined();
  });
  test("is none where it would not do, and none that cannot be had", () => {
    expect(suggest({ ...typed, givenBytes: 860e6 })?.kvType).toBeUndefined();
    const evict = { policy: "window", keep: 1024 } as const;
    expect(suggest({ ...typed, givenBytes: 960e6, kv: { evict } })?.kvType).toBeUndefined();
    expect(suggest({ ...typed, givenBytes: 1060e6, kv: { evict } })?.kvType).toBe("f16");
    expect(suggest({ ...typed, givenBytes: 960e6, kv: { budget: 1e9 } })?.kvType).toBeUndefined();
    expect(suggest({ ...typed, gpu: { ...typed.gpu, kvType: "q4" }, givenBytes: 960e6 })?.kvType).toBeUndefined();
  });
});
