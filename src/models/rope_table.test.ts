// Frequencies against numbers computed from the published formulas outside this code base.

import { describe, expect, test } from "vitest";
import { ropeFrequencies, ropeTable } from "./rope_table.ts";

function expectClose(actual: Float64Array, expected: Record<number, number>): void {
  for (const [index, value] of Object.entries(expected)) expect(actual[Number(index)] / value).toBeCloseTo(1, 12);
}

describe("frequencies", () => {
  test("linear scaling divides all", () => {
    const plain = ropeFrequencies({ rotaryDim: 64, theta: 10000 });
    const linear = ropeFrequencies({ rotaryDim: 64, theta: 10000, scaling: { type: "linear", factor: 4 } });
    expect(linear).toEqual({ scale: 1, frequencies: plain.frequencies.map((frequency) => frequency / 4) });
  });

  test("llama3: Llama 3.1's constants", () => {
    const scaling = { type: "llama3", factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalContextLength: 8192 } as const;
    expectClose(ropeFrequencies({ rotaryDim: 128, theta: 500000, scaling }).frequencies, {
      0: 1,
      20: 0.016560440080994446,
      30: 0.0013718935677611381,
      35: 9.556212353964683e-5,
      40: 3.428102195952591e-5,
      63: 3.068925988914511e-7,
    });
  });

  test("YaRN: Qwen2.5's constants, cosines scaled by 0.1 ln 4 + 1", () => {
    const scaling = { type: "yarn", factor: 4, originalContextLength: 32768, betaFast: 32, betaSlow: 1 } as const;
    const { frequencies, scale } = ropeFrequencies({ rotaryDim: 128, theta: 1e6, scaling });
    expectClose(frequencies, {
      0: 1,
      20: 0.01333521432163324,
      30: 0.001064360981247002,
      35: 0.0002462584069089387,
      40: 4.445698525097307e-5,
      63: 3.102344401879299e-7,
    });
    expect(scale).toBeCloseTo(1.1386294361119891, 12);
  });

  test("divisors of a file act on each frequency", () => {
    const factors = Float32Array.from([1, 2, 4, 8]);
    expect([...ropeFrequencies({ rotaryDim: 8, theta: 10000, factors }).frequencies]).toEqual(
      [1, 0.1 / 2, 0.01 / 4, 0.001 / 8].map((value) => expect.closeTo(value, 12) as number),
    );
  });
});

test("the table holds cosine and sine of every position, exact far out", () => {
  const table = ropeTable({ rotaryDim: 4, theta: 100, maxPositions: 100_001 });
  expect(table.slice(0, 4)).toEqual(Float32Array.of(1, 0, 1, 0));
  const at = 100_000 * 4;
  expect(table[at]).toBe(Math.fround(Math.cos(100_000)));
  expect(table[at + 3]).toBe(Math.fround(Math.sin(10_000)));
});
