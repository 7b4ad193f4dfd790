import { expect, test } from "vitest";
import { ratesOf, type TimedWork } from "./probe_rates.ts";

function of(amount: number, rate: number, startMs: number): TimedWork {
  return { amount, ms: startMs + (amount * 1000) / rate };
}

/** Times of an adapter with these rates a second and starts in milliseconds. */
function timed(more: Record<string, TimedWork> = {}): Map<string, TimedWork> {
  return new Map(
    Object.entries({
      dispatch: of(0, 1, 0.01),
      copy: of(1e7, 2e9, 0.01),
      elements: of(1e6, 4e9, 0.01),
      "attention decode": of(8e4, 5e8, 0.01),
      "attention prefill": of(4e6, 1e9, 0.01),
      "decode q4_0": of(1e6, 1e9, 0.05),
      "decode q8_0": of(1e6, 5e8, 0.05),
      "small decode": of(16e3, 1e9, 0.05),
      "prefill q4_0": of(3e7, 3e9, 0.5),
      "prefill q8_0": of(3e7, 2e9, 0.5),
      "small prefill": of(1e6, 3e9, 0.5),
      ...more,
    }),
  );
}

const options = { formats: ["q4_0", "q8_0"], software: true };

test("rates and starts are those that the times were made of", () => {
  const rates = ratesOf(timed(), options);
  expect(rates.dispatchMs).toBeCloseTo(0.01, 9);
  expect(rates.productStartMs.decode).toBeCloseTo(0.05, 9);
  expect(rates.productStartMs.prefill).toBeCloseTo(0.5, 9);
  const wanted = [2e9, 4e9, 5e8, 1e9, 1e9, 5e8, 3e9, 2e9];
  const { copyBytes, elementBytes, attentionProducts, decodeWeights, prefillProducts } = rates;
  const found = [
    copyBytes,
    elementBytes,
    attentionProducts.decode,
    attentionProducts.prefill,
    decodeWeights.q4_0,
    decodeWeights.q8_0,
    prefillProducts.q4_0,
    prefillProducts.q8_0,
  ];
  for (const [index, rate] of found.entries()) expect(rate / wanted[index]).toBeCloseTo(1, 6);
});

test("a disturbed small product or dispatch does not make the large ones look fast", () => {
  const rates = ratesOf(timed({ "small decode": { amount: 16e3, ms: 5 }, dispatch: { amount: 0, ms: 3 } }), options);
  expect(rates.decodeWeights.q4_0).toBeLessThan(1e9 * 1.4);
  expect(rates.decodeWeights.q4_0).toBeGreaterThan(0);
  expect(ratesOf(timed({ dispatch: { amount: 0, ms: 3 } }), options).dispatchMs).toBeLessThan(0.1);
});

test("without formats there are still the other rates", () => {
  expect(ratesOf(timed(), { formats: [], software: false })).toMatchObject({ decodeWeights: {}, prefillProducts: {}, dispatchMs: 0.01 });
});
