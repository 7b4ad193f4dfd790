import { expect, test } from "vitest";
import { plainCaps } from "../testing/plain_caps.ts";
import { type Cascade, naiveAttention, onlineAttention, passesOver } from "./cascade.ts";
import { lowerAttention } from "./lower_attention.ts";
import type { AttentionNode, Value } from "./ir.ts";
import type { Codes } from "./codes.ts";
import { kernelCall } from "./call.ts";
import type { LowerOptions } from "./lowering.ts";

test("attention passes over keys once with a running softmax, three times as it is written down", () => {
  expect(passesOver(onlineAttention, "key")).toBe(1);
  expect(passesOver(naiveAttention, "key")).toBe(3);
});

test("a division that waits saves a pass, a maximum that is known beforehand another", () => {
  const [scores, most, shares, sum] = naiveAttention.steps;
  const late: Cascade = {
    inputs: naiveAttention.inputs,
    steps: [
      scores,
      most,
      shares,
      sum,
      { result: "A", ranks: ["query", "dim"], operands: ["P", "V"] },
      { result: "Y", ranks: ["query", "dim"], operands: ["A", "L"] },
    ],
  };
  expect(passesOver(late, "key")).toBe(2);
  const steps = late.steps.filter((step) => step !== most);
  expect(passesOver({ inputs: { ...late.inputs, M: ["query"] }, steps }, "key")).toBe(1);
});

test("a step of what nobody gives is no cascade", () => {
  const steps = [{ result: "Y", ranks: ["query"], operands: ["X"] }];
  expect(() => passesOver({ inputs: {}, steps }, "key")).toThrow("X");
});

const value = (name: string, cols: number): Value => ({ id: name.length, name, rows: "rows", cols, type: "act" });

function lowered(cascade: Cascade, phase: "prefill" | "decode"): unknown {
  const from = { query: value("q", 64), key: value("key", 32), value: value("value", 32) };
  const node: AttentionNode = {
    op: "attention",
    from,
    layer: 0,
    numHeads: 2,
    numKvHeads: 1,
    headDim: 32,
    scale: 1,
    cascade,
    output: value("output", 64),
  };
  const kv = { pageTokens: 32, numKvHeads: 1, headDim: 32, type: "f32", maxPages: 4 } as const;
  const target = { caps: plainCaps, deviceClass: "gpu", precision: "f32", maxRows: 8 } as const;
  const options: LowerOptions = { phase, target, kv, formats: new Map(), scoreTopK: 1 };
  const codes: Codes = {
    produce: (kernel, attributes, { output, ...operands }) => kernelCall(kernel, attributes, { ...operands, outputs: [output] }),
    read: (one) => [one],
  };
  return lowerAttention(node, { options, codes, values: { make: (name, spec) => ({ id: 99, name, ...spec }) } });
}

test.each(["prefill", "decode"] as const)("lowering takes one pass and no more, in %s", (phase) => {
  expect(() => lowered(onlineAttention, phase)).not.toThrow();
  expect(() => lowered(naiveAttention, phase)).toThrow("3 times");
});
