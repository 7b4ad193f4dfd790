import { expect, test } from "vitest";
import { suggest, type SuggestionInput } from "./suggestion.ts";

const gpu = { weights: 800e6, kvPerThousandTokens: 100e6, kv: 409.6e6, scratch: 50e6, atLoad: 900e6, total: 1259.6e6 };
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
