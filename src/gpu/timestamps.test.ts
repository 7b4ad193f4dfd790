import { expect, test } from "vitest";
import { passMs, stampStep } from "./timestamps.ts";

test("the step of stamps is found from any of them, whatever they begin at", () => {
  const quantised = [7, 3, 10, 12, 8].map((count) => 123_456_789_012n + 65_536n * BigInt(count));
  expect(stampStep(BigUint64Array.from(quantised))).toBe(0.065536);
  expect(stampStep(BigUint64Array.of(1_000_000n, 1_000_040n, 1_000_100n))).toBe(2e-5);
  expect(stampStep(BigUint64Array.of(5n, 5n, 5n))).toBe(0);
  expect(stampStep(new BigUint64Array(0))).toBe(0);
});

test("a pass that ends before it begins has no time", () => {
  const stamps = BigUint64Array.of(1_000_000n, 3_500_000n, 9n, 8n);
  expect(passMs(stamps, 0)).toBe(2.5);
  expect(passMs(stamps, 1)).toBeNaN();
});
