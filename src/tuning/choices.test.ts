import { expect, test } from "vitest";
import { type Choices, noChoices, readChoices, recordKey, type RecordOwner, writeChoices } from "./choices.ts";

const choice = { variant: "gemv/q4_0/rows8/f32/gpu", signature: "0011", ms: 0.25, defaultMs: 0.5 };
const choices: Choices = { classes: new Map([["decode linear", choice]]), trying: ["a in b"], struck: ["e in f"], lost: ["c in d"] };

test("a record comes back as it was written", () => {
  expect(readChoices(JSON.parse(JSON.stringify(writeChoices(choices))))).toEqual(choices);
  expect(readChoices(writeChoices(noChoices))).toEqual(noChoices);
});

test("whatever is not a record is as good as none", () => {
  const good = writeChoices(choices) as Record<string, unknown>;
  const [entry] = good["classes"] as Record<string, unknown>[];
  const bad: unknown[] = [undefined, null, 7, "x", [], {}, { ...good, version: 1 }, { ...good, classes: {} }, { ...good, trying: "a" }];
  bad.push(
    { ...good, lost: [3] },
    { ...good, struck: "e" },
    { ...good, trying: ["x".repeat(5000)] },
    { ...good, lost: Array.from({ length: 600 }, () => "a") },
  );
  bad.push({ ...good, classes: Array.from({ length: 600 }, () => entry) }, { ...good, classes: [null] });
  for (const [name, value] of [
    ["ms", "1"],
    ["ms", Number.NaN],
    ["ms", -1],
    ["defaultMs", Infinity],
    ["variant", 3],
    ["key", undefined],
  ] as const) {
    bad.push({ ...good, classes: [{ ...entry, [name]: value }] });
  }
  for (const value of bad) expect(readChoices(value), JSON.stringify(value)?.slice(0, 80)).toBeUndefined();
});

test("anything that may change a time changes the record's name", () => {
  const caps = { vendor: "v", subgroups: { min: 8, max: 8 } } as unknown as RecordOwner["caps"];
  const info = { vendor: "v", architecture: "a", device: "d", description: "" };
  const owner: RecordOwner = {
    caps,
    info,
    features: ["a", "b"],
    browser: "Chrome/1",
    version: "1.0.0",
    shaders: new Map([["a.wgsl", "x"]]),
  };
  const others: RecordOwner[] = [
    { ...owner, info: { ...info, architecture: "b" } },
    { ...owner, info: { ...info, description: "driver 2" } },
    { ...owner, caps: { ...caps, deviceClass: "cpu" } },
    { ...owner, features: ["a"] },
    { ...owner, browser: "Chrome/2" },
    { ...owner, version: "1.0.1" },
    { ...owner, shaders: new Map([["a.wgsl", "y"]]) },
  ];
  const keys = new Set([owner, ...others].map((one) => recordKey(one)));
  expect(keys.size).toBe(others.length + 1);
  expect(recordKey({ ...owner, features: ["b", "a"] })).toBe(recordKey(owner));
});
