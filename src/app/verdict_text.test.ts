// What the page says of an estimate: fits or not and by how much, and what a person can do next.
import { expect, test } from "vitest";
import type { Estimate } from "../index.ts";
import { fakeEstimate, fakeStreamed } from "../testing/fake_library.ts";
import { readVerdict, typeMix, type Verdict } from "./verdict_text.ts";

function fact(verdict: Verdict, label: string): string | undefined {
  return verdict.facts.find((one) => one.label === label)?.text;
}

const oom = { code: "GPU.oom", message: "Too large. Take a smaller file.", retryable: false, detail: {} } as const;

test("a model that fits says what it takes and gives", () => {
  const verdict = readVerdict(fakeEstimate());
  expect(verdict).toMatchObject({ tone: "good", headline: "Fits, with at least 620 MB to spare", run: "Download and run", problems: [] });
  expect(verdict.about).toBe("llama · 362M parameters · Q8_0 99 %, F32 under 1 %");
  expect(verdict.memory?.text).toBe("620 MB of GPU memory with a full context; the GPU gave at least 1.2 GB");
  expect(verdict.memory?.parts.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(620e6);
  expect(fact(verdict, "Download")).toBe("386 MB");
  expect(fact(verdict, "Speed")).toBe("about 94.0 tokens/s; prompts 1,840 tokens/s");
  expect(fact(verdict, "Context")).toBe("4,096 tokens, trained for 8,192; 1,000 take 41.0 MB as f16");
  expect(fact(verdict, "Storage")).toBe("386 MB of about 84.0 GB free; kept, unless the browser runs out of space");
  expect(readVerdict(fakeEstimate({ spareBytes: 1e8, memory: { source: "gpu", givenBytes: 720e6 } })).headline).toBe(
    "Fits, with 100 MB to spare",
  );
});

test("a model that does not fit says by how much, and offers what would", () => {
  const suggestion = { text: "With 1,024 tokens it fits.", contextLength: 1024 };
  const verdict = readVerdict(
    fakeEstimate({ fits: false, spareBytes: -3e8, memory: { source: "gpu", givenBytes: 320e6 }, problems: [oom], suggestion }),
  );
  expect(verdict).toMatchObject({ tone: "bad", headline: "Does not fit: 300 MB short", contextLength: 1024, run: "Try anyway" });
  expect(verdict.problems).toEqual([]);
  expect(verdict.memory?.given).toBe(320e6);
});

test("the model in use makes room for the next one", () => {
  const estimate = fakeEstimate({ fits: false, spareBytes: -3e8, problems: [oom] });
  expect(readVerdict(estimate, { name: "Old", bytes: 4e8 })).toMatchObject({ tone: "tight", headline: "Fits once Old has made room" });
  expect(readVerdict(estimate, { name: "Old", bytes: 2e8 }).tone).toBe("bad");
});

test("what cannot be run has no button to run it", () => {
  const problem = { code: "UNSUPPORTED.type", message: "Not this type. Take another.", retryable: false, detail: {} } as const;
  const verdict = readVerdict(fakeEstimate({ problems: [problem] }));
  expect(verdict).toMatchObject({ tone: "bad", headline: "This cannot be run here", run: undefined, problems: [problem] });
});

test("without a GPU there are no figures of one", () => {
  const problem = { code: "GPU.unavailable", message: "None. Use another browser.", retryable: false, detail: {} } as const;
  const without: Partial<Estimate> = {
    probe: null,
    memory: null,
    prefillTokensPerSecond: null,
    decodeTokensPerSecond: null,
    fits: false,
    spareBytes: -620e6,
  };
  const verdict = readVerdict(fakeEstimate({ ...without, problems: [problem] }));
  expect(verdict.memory).toMatchObject({ given: undefined, text: "620 MB of GPU memory with a full context" });
  expect(fact(verdict, "Speed")).toBeUndefined();
});

test("memory that nobody gave is not called so", () => {
  const host = readVerdict(fakeEstimate({ memory: { source: "host", givenBytes: 9e8 }, spareBytes: 2.8e8 }));
  expect(host.memory?.text).toBe("620 MB of memory with a full context; this machine can spare 900 MB");
  const unknown = readVerdict(fakeEstimate({ memory: { source: "none", givenBytes: 620e6 }, spareBytes: 0 }));
  expect(unknown.headline).toBe("Should fit; how much memory there is cannot be told");
  expect(unknown.memory).toMatchObject({ given: undefined, text: "620 MB of GPU memory with a full context" });
  const none = { ...fakeEstimate().gpu, weights: 0, kvPerThousandTokens: 0, kv: 0, scratch: 0, atLoad: 0, total: 0 };
  expect(readVerdict(fakeEstimate({ gpu: none })).memory).toBeUndefined();
});

test("a part that is here is not downloaded again", () => {
  const storage = { neededBytes: 1e8, availableBytes: 5e7, persisted: true, storedBytes: 286.4e6 };
  const verdict = readVerdict(fakeEstimate({ downloadBytes: 1e8, storage }));
  expect(verdict.run).toBe("Resume and run");
  expect(fact(verdict, "Download")).toBe("100 MB of 386 MB, the rest is here already");
  expect(fact(verdict, "Storage")).toContain("the browser offers about 50.0 MB: it would run from memory and not be kept");
  const stored = readVerdict(fakeEstimate({ downloadBytes: 0 }));
  expect(stored.run).toBe("Load");
  expect(fact(stored, "Storage")).toBeUndefined();
});

test("a slow model is called slow", () => {
  const speed = readVerdict(fakeEstimate({ decodeTokensPerSecond: 1.2 })).facts.find(({ label }) => label === "Speed");
  expect(speed).toEqual({
    label: "Speed",
    tone: "tight",
    text: "about 1.20 tokens/s, slower than most people read; prompts 1,840 tokens/s",
  });
});

function typeOf(count: number): Estimate["types"][string] {
  return { tensors: 1, parameters: 1, bytes: count };
}

test("the largest types are named, the rest counted", () => {
  expect(typeMix({ f32: typeOf(8), q4_k: typeOf(60), q6_k: typeOf(30), q8_0: typeOf(1), f16: typeOf(1) })).toBe(
    "Q4_K 60 %, Q6_K 30 %, F32 8 %, 2 more",
  );
  expect(typeMix({})).toBe("");
});

const tight: Partial<Estimate> = { fits: false, spareBytes: -3e8, memory: { source: "gpu", givenBytes: 320e6 }, problems: [oom] };

test("what does not fit whole is offered streamed, with what that takes and gives", () => {
  const suggestion = { text: "It fits streamed: set memoryBudget to 300000000. Look for a file of at most 200 MB.", fileBytes: 2e8 };
  const storage = { neededBytes: 746.4e6, availableBytes: 8.4e10, persisted: true, storedBytes: 0 };
  const verdict = readVerdict(fakeEstimate({ ...tight, streamed: fakeStreamed(), suggestion, storage }));
  expect(verdict).toMatchObject({
    tone: "tight",
    headline: "Does not fit whole; streamed it writes about 4.20 tokens/s",
    run: "Run streamed (about 4.20 tokens/s)",
    memoryBudget: 3e8,
    problems: [],
    suggestion: "A file of at most 200 MB would fit whole, and be faster.",
  });
  expect(fact(verdict, "Speed")).toBe("about 4.20 tokens/s, slower than most people read; prompts 60.0 tokens/s");
  expect(fact(verdict, "Streamed")).toBe("24 of 32 layers are read from storage for each token: 280 MB at 1.3 GB/s");
  expect(fact(verdict, "Copy")).toBe("360 MB of layers is stored beside the model, once, before it runs");
  expect(fact(verdict, "Storage")).toBe("746 MB of about 84.0 GB free; kept until you delete it");
  expect(verdict.memory?.parts.map(({ kind, bytes }) => [kind, bytes])).toEqual([
    ["weights", 110e6],
    ["conversation", 168e6],
    ["working", 62e6],
    ["streamed", 280e6],
  ]);
});

test("a smaller type of keys and values is offered in the page's own words", () => {
  const suggestion = { text: 'Set kv: { type: "q8_0" }.', kvType: "q8_0", contextLength: 1024 } as const;
  const verdict = readVerdict(fakeEstimate({ ...tight, suggestion }));
  expect(verdict).toMatchObject({ kvType: "q8_0", contextLength: 1024 });
  expect(verdict.suggestion).toBe(
    "With its chat memory in q8_0 it would fit, at 21.8 MB for 1,000 tokens instead of 41.0 MB, and with a context of 1,024 tokens as it is.",
  );
  expect(fact(verdict, "Context")).toContain("1,000 take 41.0 MB as f16");
  expect(verdict.memory?.parts[1].label).toBe("conversation (f16)");
  expect(readVerdict(fakeEstimate()).kvType).toBeUndefined();
});

test("a copy that is stored, or lies in memory, is called so", () => {
  const stored = readVerdict(fakeEstimate({ ...tight, downloadBytes: 0, streamed: fakeStreamed({ imageStored: true }) }));
  expect(fact(stored, "Copy")).toBe("360 MB, it is on this device");
  const inMemory = readVerdict(fakeEstimate({ ...tight, streamed: fakeStreamed({ tier: "memory" }) }));
  expect(fact(inMemory, "Copy")).toBe("360 MB of this computer's memory, made anew at each load");
  expect(fact(inMemory, "Streamed")).toContain("read from this computer's memory for each token");
  const shorter = { text: "Streamed. With 1,024 tokens it fits.", contextLength: 1024 };
  expect(readVerdict(fakeEstimate({ ...tight, streamed: fakeStreamed(), suggestion: shorter })).suggestion).toBe(
    "With a context of 1,024 tokens it would fit whole, and be faster.",
  );
});

test("room that the model in use makes is better than streaming; a limit of one's own is not made room for", () => {
  const held = { name: "Old", bytes: 4e8 };
  expect(readVerdict(fakeEstimate({ ...tight, streamed: fakeStreamed() }), held)).toMatchObject({
    headline: "Fits once Old has made room",
    memoryBudget: undefined,
    run: "Download and run",
  });
  const limited: Partial<Estimate> = { ...tight, problems: [], memory: { source: "budget", givenBytes: 3e8 }, streamed: fakeStreamed() };
  const verdict = readVerdict(fakeEstimate(limited), held);
  expect(verdict).toMatchObject({ tone: "tight", memoryBudget: 3e8 });
  expect(verdict.memory?.text).toBe("620 MB of GPU memory with a full context; your limit is 300 MB");
  const budget = { code: "GPU.budget", message: "At least 9 bytes. Give more.", retryable: false, detail: {} } as const;
  expect(readVerdict(fakeEstimate({ ...limited, streamed: null, problems: [budget] }))).toMatchObject({
    tone: "bad",
    run: undefined,
    problems: [budget],
  });
});
