import { expect, test } from "vitest";
import { type ProfileFacts, tableOf, traceOf } from "./profile_report.ts";

function dispatch(name: string, kernel: string, ms: number): ProfileFacts["steps"][0]["dispatches"][0] {
  return { name, kernel, variant: `${kernel}/f32`, ms, bytes: ms * 5e8, macs: ms * 1e8, bandwidthShare: 0.5, computeShare: 0.1 };
}

const facts: ProfileFacts = {
  adapter: { vendor: "v", architecture: "a", description: "", deviceClass: "gpu", f16: false },
  activations: "f32",
  timestamps: true,
  quantumMs: 0.065536,
  copyBytesPerSecond: 1e12,
  macsPerSecond: 1e12,
  steps: [
    { phase: "prefill", rows: 64, contextTokens: 64, totalMs: 5, encodeMs: 0.02, dispatches: [dispatch("embed", "embed", 0.5)] },
    {
      phase: "decode",
      rows: 1,
      contextTokens: 256,
      totalMs: 3.25,
      encodeMs: 0.01,
      dispatches: [
        dispatch("blk.0.ffn_down", "linear", 1),
        dispatch("blk.0.attn", "attention_decode", 2.5),
        dispatch("head", "linear", 0.25),
      ],
    },
  ],
};

test("a table has totals by kernel and all dispatches, longest first, in aligned columns", () => {
  const table = tableOf(facts);
  const lines = table.split("\n");
  const start = lines.findIndex((line) => line.startsWith("decode of 1 row, 256 tokens"));
  expect(lines[start]).toBe(
    "decode of 1 row, 256 tokens of context: 3.250 ms as it runs, 3.750 ms as the sum of 3 dispatches by themselves, " +
      "0.010 ms of JavaScript to encode",
  );
  const [head, first, second] = lines.slice(start + 2, start + 5);
  expect(head).toMatch(/^kernel +variant +count +ms +of sum +GB\/s +of copy +GMAC\/s +of peak$/);
  expect(first).toMatch(/^attention_decode +attention_decode\/f32 +1 +2\.5000 +66\.7% +500\.00 +50\.0% +100\.00 +10\.0%$/);
  expect(second).toMatch(/^linear +linear\/f32 +2 +1\.2500 +33\.3% +/);
  expect(new Set([head, first, second].map((line) => line.length)).size).toBe(1);
  const names = lines.slice(start + 7, start + 10).map((line) => /^\S+/.exec(line)?.[0]);
  expect(names).toEqual(["blk.0.attn", "blk.0.ffn_down", "head"]);
  expect(table).toContain("in steps of 0.0655 ms");
  expect(tableOf({ ...facts, timestamps: false, quantumMs: 0.1 })).toContain("The wall clock, which counts in steps of 0.1 ms");
});

test("shares of more than 100 % are explained in one line, and only they", () => {
  expect(tableOf(facts)).not.toContain("more than 100 %");
  for (const share of ["bandwidthShare", "computeShare"]) {
    const odd = { ...dispatch("b", "add", 1), [share]: 2.5 };
    const table = tableOf({ ...facts, steps: [facts.steps[0], { ...facts.steps[1], dispatches: [dispatch("a", "add", 1), odd] }] });
    expect(table.split("\n").filter((line) => line.startsWith("Shares of more than 100 %"))).toHaveLength(1);
  }
});

test("a trace is Chrome's: complete events in microseconds, end to end, on threads with names", () => {
  const { traceEvents, displayTimeUnit } = JSON.parse(JSON.stringify(traceOf(facts))) as ReturnType<typeof traceOf>;
  expect(displayTimeUnit).toBe("ms");
  const threads = traceEvents.filter(({ ph }) => ph === "M");
  expect(threads.map(({ name, tid, args }) => [name, tid, args.name])).toEqual([
    ["process_name", 0, "v a (gpu)"],
    ["thread_name", 1, "prefill: 64 rows, 64 tokens"],
    ["thread_name", 2, "decode: 1 rows, 256 tokens"],
  ]);
  const events = traceEvents.filter((event) => event.ph === "X");
  expect(events.map(({ name, cat, ts, dur, pid, tid }) => [name, cat, ts, dur, pid, tid])).toEqual([
    ["embed", "embed", 0, 500, 1, 1],
    ["blk.0.ffn_down", "linear", 500, 1000, 1, 2],
    ["blk.0.attn", "attention_decode", 1500, 2500, 1, 2],
    ["head", "linear", 4000, 250, 1, 2],
  ]);
  expect(events[2].args).toEqual({ variant: "attention_decode/f32", bytes: 1.25e9, macs: 2.5e8, bandwidthShare: 0.5, computeShare: 0.1 });
});

test("a dispatch that took no time the clock can tell has no rate, not an infinite one", () => {
  const steps = [{ ...facts.steps[0], dispatches: [dispatch("a", "add", 1), { ...dispatch("b", "add", 0), bytes: 100 }] }];
  expect(tableOf({ ...facts, steps })).not.toMatch(/NaN|Infinity/);
});
