import { expect, test } from "vitest";
import { allPairs, type FactorRow } from "./all_pairs.ts";

const factors = {
  type: Array.from({ length: 27 }, (_, index) => `type ${index}`),
  kernel: ["gemv", "gemm", "lut", "embed"],
  shape: [1, 33, 131, 257, 512, 1031],
  build: ["f32", "f16", "int8"],
};
type Row = FactorRow<typeof factors>;

const lutOnly4Bit = (row: Partial<Row>): boolean => row.kernel !== "lut" || row.type === undefined || row.type === "type 3";

/** Every two values of two factors, as text. */
function pairs(rows: readonly object[]): Set<string> {
  const values = rows.map((row) => Object.entries(row).map(([name, value]) => `${name} ${String(value)}`));
  return new Set(values.flatMap((row) => row.flatMap((one) => row.filter((other) => one !== other).map((other) => `${one} & ${other}`))));
}

/** The full product, for comparison. */
function everything(): Row[] {
  const { type, kernel, shape, build } = factors;
  return type.flatMap((t) => kernel.flatMap((k) => shape.flatMap((s) => build.map((b) => ({ type: t, kernel: k, shape: s, build: b })))));
}

test("every pair is covered, with few more rows than the two largest factors need", () => {
  const rows = allPairs(factors);
  expect(pairs(rows)).toEqual(pairs(everything()));
  expect(rows.length).toBeLessThanOrEqual(1.15 * 27 * 6);
});

test("only allowed rows are given, and every pair that an allowed row has", () => {
  const rows = allPairs(factors, lutOnly4Bit);
  expect(rows.every(lutOnly4Bit)).toBe(true);
  expect(pairs(rows)).toEqual(pairs(everything().filter(lutOnly4Bit)));
});

test("the same factors give the same rows", () => {
  expect(allPairs(factors, lutOnly4Bit)).toEqual(allPairs(factors, lutOnly4Bit));
});
