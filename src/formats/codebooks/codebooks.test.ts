import { describe, expect, test } from "vitest";
import { seededRng } from "../../base/rng.ts";
import { sharedFileOrSkip } from "../../testing/files.ts";
import type { Grid } from "./grid.ts";
import { iq1sGrid } from "./iq1s.ts";
import { iq2sGrid } from "./iq2s.ts";
import { iq2xsGrid } from "./iq2xs.ts";
import { iq2xxsGrid } from "./iq2xxs.ts";
import { iq3sGrid } from "./iq3s.ts";
import { iq3xxsGrid } from "./iq3xxs.ts";
import { evenSigns, signWord } from "./signs.ts";
import { fp4Values, iq4Values } from "./values.ts";

interface GridCase {
  readonly name: string;
  readonly grid: () => Grid;
  readonly count: number;
  readonly width: 4 | 8;
  readonly levels: readonly number[];
  /** The value of a code that the GPU gets. */
  readonly valueOf: (code: number) => number;
  /** SHA-256 of the table, a signed byte for each value, made from gguf 0.19.0 on PyPI (quants.py), which keeps it in another form. */
  readonly sha256: string;
}

const twoBits = { width: 8, levels: [8, 25, 43], valueOf: (code: number) => [8, 25, 43][code] } as const;
const odd = [1, 3, 5, 7, 9, 11, 13, 15];

const cases: readonly GridCase[] = [
  {
    name: "iq1s",
    grid: iq1sGrid,
    count: 2048,
    width: 8,
    levels: [-1, 0, 1],
    valueOf: (code) => code - 1,
    sha256: "07540ffc1aeaf6ad4d97e96b0fcc765aae39671d4ae4a27bbd0e796fde167c6a",
  },
  { name: "iq2s", grid: iq2sGrid, count: 1024, ...twoBits, sha256: "e1aa1473412b0552c2174c30ef22ab4073f6a181b85a17056e8249bd2932fd88" },
  { name: "iq2xs", grid: iq2xsGrid, count: 512, ...twoBits, sha256: "06e47aaca60b4dc1d9b5a3f34540437058a6b142b4d7a59d5ded769b4d1bf1de" },
  { name: "iq2xxs", grid: iq2xxsGrid, count: 256, ...twoBits, sha256: "05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54" },
  {
    name: "iq3s",
    grid: iq3sGrid,
    count: 512,
    width: 4,
    levels: odd,
    valueOf: (code) => code,
    sha256: "bd1af4945a1717c65610b0284e4628b9a1ba3b306fae3a06f6e5f597356e349f",
  },
  {
    name: "iq3xxs",
    grid: iq3xxsGrid,
    count: 256,
    width: 4,
    levels: [4, 12, 20, 28, 36, 44, 52, 62],
    valueOf: (code) => (code === 15 ? 62 : code * 4),
    sha256: "46e35f5a997efdee6c99ce57854c8a0d4f0ff8ca57e5e8a60c0793ea580acf5d",
  },
];

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

describe.for(cases)("grid of $name", ({ grid, count, width, levels, valueOf, sha256: expected }) => {
  const { values, codebook } = grid();

  test("has its size, every level and no other, and distinct points in order", () => {
    expect(values.length).toBe(count * width);
    expect([...new Set(values)].toSorted((a, b) => a - b)).toEqual(levels);
    let before = -1;
    for (let index = 0; index < count; index++) {
      const point = values.subarray(index * width, (index + 1) * width);
      const number = point.reduceRight((sum, value) => sum * levels.length + levels.indexOf(value), 0);
      expect(number).toBeGreaterThan(before);
      before = number;
    }
  });

  test("is the published table", async () => {
    expect(await sha256(new Uint8Array(values))).toBe(expected);
  });

  test("is what the GPU's codebook holds", () => {
    expect(codebook.length).toBe(count * 2);
    expect(codebook.length % 256).toBe(0);
    const bits = 16 / width;
    for (let index = 0; index < values.length; index++) {
      const j = index % width;
      const byte = codebook[Math.floor(index / width) * 2 + (j & 1)];
      expect(valueOf((byte >> (bits * (j >> 1))) & (2 ** bits - 1))).toBe(values[index]);
    }
  });

  test("is made once", () => {
    expect(grid()).toBe(grid());
  });
});

type PointReader = (block: DataView, index: number) => number;

interface VectorCase {
  readonly name: string;
  readonly grid: () => Grid;
  readonly width: 4 | 8;
  readonly bytesPerBlock: number;
  /** Index of a point of a file's block of 256 weights. */
  readonly pointAt: PointReader;
  /** What is added to all values of a point. */
  readonly shifts: readonly number[];
  /** Different points in the vectors: no less than this of the grid is checked against ggml's own weights. */
  readonly points: number;
}

const high = (byte: number, shift: number, bits: number): number => ((byte >> shift) & (2 ** bits - 1)) << 8;
const eighths = [0.125, -0.125];

const vectorCases: readonly VectorCase[] = [
  {
    name: "iq2_xxs",
    grid: iq2xxsGrid,
    width: 8,
    bytesPerBlock: 66,
    pointAt: (b, i) => b.getUint8(2 + (i >> 2) * 8 + (i & 3)),
    shifts: [0],
    points: 250,
  },
  {
    name: "iq2_xs",
    grid: iq2xsGrid,
    width: 8,
    bytesPerBlock: 74,
    pointAt: (b, i) => b.getUint16(2 + i * 2, true) & 511,
    shifts: [0],
    points: 416,
  },
  {
    name: "iq2_s",
    grid: iq2sGrid,
    width: 8,
    bytesPerBlock: 82,
    pointAt: (b, i) => b.getUint8(2 + i) | high(b.getUint8(66 + (i >> 2)), 2 * (i & 3), 2),
    shifts: [0],
    points: 564,
  },
  {
    name: "iq3_xxs",
    grid: iq3xxsGrid,
    width: 4,
    bytesPerBlock: 98,
    pointAt: (b, i) => b.getUint8(2 + i),
    shifts: [0],
    points: 251,
  },
  {
    name: "iq3_s",
    grid: iq3sGrid,
    width: 4,
    bytesPerBlock: 110,
    pointAt: (b, i) => b.getUint8(2 + i) | high(b.getUint8(66 + (i >> 3)), i & 7, 1),
    shifts: [0],
    points: 478,
  },
  {
    name: "iq1_s",
    grid: iq1sGrid,
    width: 8,
    bytesPerBlock: 50,
    pointAt: (b, i) => b.getUint8(2 + i) | high(b.getUint16(34 + (i >> 2) * 2, true), 3 * (i & 3), 3),
    shifts: eighths,
    points: 723,
  },
  {
    name: "iq1_m",
    grid: iq1sGrid,
    width: 8,
    bytesPerBlock: 56,
    pointAt: (b, i) => b.getUint8(i) | high(b.getUint8(32 + (i >> 1)), 4 * (i & 1), 3),
    shifts: eighths,
    points: 740,
  },
];

/** Whether the sizes of weights are those of a point, times one factor. */
function proportional(weights: Float32Array, point: Int8Array, shift: number): boolean {
  const sizes = Float64Array.from(point, (value) => Math.abs(value + shift));
  const factor = Math.abs(weights[0]) / sizes[0];
  return weights.every((weight, j) => Math.abs(Math.abs(weight) - factor * sizes[j]) <= 1e-6 * factor * sizes[j]);
}

// The vectors do not reach every point of a grid (most of IQ2_XXS, a third of IQ1_S); the checksums above hold for all.
describe.for(vectorCases)("points of $name", ({ name, grid, width, bytesPerBlock, pointAt, shifts, points }) => {
  test("give ggml's weights, but for scale and sign", async (context) => {
    const bytes = await sharedFileOrSkip(context, `data/quant-vectors/${name}.bin`);
    const values = await sharedFileOrSkip(context, `data/quant-vectors/${name}.f32`);
    const weights = new Float32Array(values.buffer);
    const seen = new Set<number>();
    const perBlock = 256 / width;
    for (let index = 0; index < weights.length / width; index++) {
      const block = new DataView(bytes.buffer, Math.floor(index / perBlock) * bytesPerBlock, bytesPerBlock);
      const at = pointAt(block, index % perBlock);
      const point = grid().values.subarray(at * width, (at + 1) * width);
      const group = weights.subarray(index * width, (index + 1) * width);
      expect(shifts.some((shift) => proportional(group, point, shift))).toBe(true);
      seen.add(at);
    }
    expect(seen.size).toBe(points);
  });
});

// No quantizer writes the -0 of FP4.
describe.for([
  { name: "iq4_nl", bytesPerBlock: 18, codesAt: 2, table: iq4Values, codes: 16 },
  { name: "mxfp4", bytesPerBlock: 17, codesAt: 1, table: fp4Values, codes: 15 },
])("values of $name", ({ name, bytesPerBlock, codesAt, table, codes }) => {
  test("are ggml's, but for scale", async (context) => {
    const bytes = await sharedFileOrSkip(context, `data/quant-vectors/${name}.bin`);
    const weights = new Float32Array((await sharedFileOrSkip(context, `data/quant-vectors/${name}.f32`)).buffer);
    const seen = new Set<number>();
    for (let index = 0; index < weights.length; index++) {
      const block = weights.subarray(index & ~31, (index & ~31) + 32);
      const codeOf = (j: number): number => (bytes[(index >> 5) * bytesPerBlock + codesAt + (j & 15)] >> (4 * (j >> 4))) & 15;
      const reference = block.findIndex((weight) => weight !== 0);
      if (reference < 0) continue;
      const code = codeOf(index & 31);
      seen.add(code);
      const want = (block[reference] / table[codeOf(reference)]) * table[code];
      expect(Math.abs(weights[index] - want)).toBeLessThanOrEqual(1e-6 * Math.abs(want));
    }
    expect(seen.size).toBe(codes);
  });
});

const parity = (bits: number): number => bits.toString(2).replaceAll("0", "").length & 1;

test("signs: the eighth makes their number even, and neighbours lie in neighbouring bytes of a word", () => {
  const rng = seededRng(1);
  for (let seven = 0; seven < 128; seven++) {
    const other = rng.below(128);
    const eight = (bits: number): number => bits | (parity(bits) << 7);
    const groups = [seven, other, 127 - seven, seven];
    const want = groups.reduce((sum, bits, group) => sum + eight(bits) * 2 ** (8 * group), 0);
    expect(evenSigns(groups.reduce((sum, bits, group) => sum + bits * 2 ** (7 * group), 0) + 0xf * 2 ** 28)).toBe(want);
  }
  for (let weight = 0; weight < 32; weight++) {
    expect(signWord((1 << weight) >>> 0)).toBe((1 << (8 * (weight & 3) + (weight >> 2))) >>> 0);
  }
  for (let round = 0; round < 100; round++) {
    const [a, b] = [rng.below(2 ** 32), rng.below(2 ** 32)];
    expect((signWord(a) ^ signWord(b)) >>> 0).toBe(signWord((a ^ b) >>> 0));
  }
});
