import { describe, expect, test } from "vitest";
import { bf16ToF32, f16ToF32, f32ToF16 } from "../base/dtype.ts";
import { seededRng } from "../base/rng.ts";
import { edgeBlocks, edgeKinds } from "../testing/edge_blocks.ts";
import { sharedFileOrSkip } from "../testing/files.ts";
import { formatName, formatType } from "./index.ts";
import { fileBytes, firstBadScale, type WeightFormat } from "./format.ts";
import { formatByGgufType, formats } from "../testing/formats.ts";

/** One weight of a row group, read as the layout says and nothing else: (words, cols, row in group, col). */
type Mirror = (words: Uint32Array, cols: number, row: number, col: number) => number;

/** Word `index` of the unit `[plane, unit of the row, row]`. */
const word = (words: Uint32Array, [plane, unit, row]: readonly [number, number, number], index: number): number =>
  words[(plane + unit * 8 + row) * 4 + index];
const byteOf = (value: number, index: number): number => (value >>> (8 * index)) & 255;
const halfOf = (value: number, index: number): number => f16ToF32((value >>> (16 * index)) & 0xffff);
const signed = (byte: number): number => (byte << 24) >> 24;
const blocksOf = (cols: number): number => Math.ceil(cols / 32);
/** f16 number `index` of a row in a plane of f16. */
const halfAt = (words: Uint32Array, plane: number, row: number, index: number): number =>
  halfOf(word(words, [plane, index >> 3, row], (index & 7) >> 1), index & 1);
/** 4-bit code of a column. */
function nibbleAt(words: Uint32Array, row: number, col: number): number {
  const inBlock = col % 32;
  return (byteOf(word(words, [0, col >> 5, row], inBlock >> 3), inBlock & 3) >> (inBlock & 4)) & 15;
}

const f32Scratch = new Float32Array(1);
const u32Scratch = new Uint32Array(f32Scratch.buffer);

const mirrors: Record<string, Mirror> = {
  f32: (words, _cols, row, col) => {
    u32Scratch[0] = word(words, [0, col >> 2, row], col & 3);
    return f32Scratch[0];
  },
  f16: (words, _cols, row, col) => halfAt(words, 0, row, col),
  bf16: (words, _cols, row, col) => bf16ToF32((word(words, [0, col >> 3, row], (col & 7) >> 1) >>> (16 * (col & 1))) & 0xffff),
  q8_0: (words, cols, row, col) => {
    const d = halfAt(words, blocksOf(cols) * 16, row, col >> 5);
    return Math.fround(d * signed(byteOf(word(words, [0, col >> 4, row], (col & 15) >> 2), col & 3)));
  },
  q4_0: (words, cols, row, col) => Math.fround(halfAt(words, blocksOf(cols) * 8, row, col >> 5) * (nibbleAt(words, row, col) - 8)),
  q4_k: (words, cols, row, col) => {
    const scales = blocksOf(cols) * 8;
    const pair = word(words, [scales + (cols / 256) * 8, col >> 10, row], (col >> 8) & 3);
    const j = (col >> 5) & 7;
    const sc = byteOf(word(words, [scales, col >> 8, row], j >> 2), j & 3);
    const m = byteOf(word(words, [scales, col >> 8, row], 2 + (j >> 2)), j & 3);
    const step = Math.fround(halfOf(pair, 0) * sc);
    return Math.fround(Math.fround(step * nibbleAt(words, row, col)) - Math.fround(halfOf(pair, 1) * m));
  },
  q6_k: (words, cols, row, col) => {
    const scales = blocksOf(cols) * 12;
    u32Scratch[0] = word(words, [scales + (cols / 256) * 8, col >> 10, row], (col >> 8) & 3);
    const sc = signed(byteOf(word(words, [scales, col >> 8, row], (col & 255) >> 6), (col >> 4) & 3));
    const pairs = byteOf(word(words, [blocksOf(cols) * 8, col >> 6, row], (col & 63) >> 4), col & 3);
    const code = nibbleAt(words, row, col) | (((pairs >> (2 * ((col >> 2) & 3))) & 3) << 4);
    return Math.fround(Math.fround(f32Scratch[0] * sc) * (code - 32));
  },
};

type Spoil = (bytes: Uint8Array, file: number) => void;

const byte =
  (at: number, value: number): Spoil =>
  (bytes, file) => {
    bytes[file + at] = value;
  };

/** Ways to make each scale of the block at `file` NaN or infinite; none for the plain types. */
function spoilers(format: WeightFormat): readonly Spoil[] {
  if (format.name === "mxfp4") return [byte(0, 249), byte(0, 255)];
  if (format.name === "nvfp4") return [0, 1, 2, 3].flatMap((at) => [byte(at, 0x7f), byte(at, 0xff)]);
  if (format.name === "iq1_m") {
    return [0x7c00, 0xfe00].map((bits) => (bytes, file) => {
      for (let part = 0; part < 4; part++) bytes[file + 49 + part * 2] = ((bits >> (4 * part)) & 15) << 4;
    });
  }
  if (format.name === "f32")
    return [0x7f800000, 0xff800000, 0x7fc00001].map((bits) => (bytes, file) => new DataView(bytes.buffer).setUint32(file, bits, true));
  if (format.name === "bf16")
    return [0x7f80, 0xff80, 0x7fc1].map((bits) => (bytes, file) => new DataView(bytes.buffer).setUint16(file, bits, true));
  const halves = format.name === "f16" ? [0] : format.halves;
  return halves.flatMap((half) =>
    [0x7c00, 0xfc00, 0x7e01].map((bits): Spoil => {
      return (bytes, file) => new DataView(bytes.buffer).setUint16(file + half, bits, true);
    }),
  );
}

function randomValues(count: number, seed: number): Float32Array {
  const rng = seededRng(seed);
  return Float32Array.from({ length: count }, () => rng.normal() * 0.05);
}

function quantize(format: WeightFormat, values: Float32Array): Uint8Array {
  if (format.quantize === undefined) throw new Error(`${format.name} cannot quantize`);
  return format.quantize(values);
}

function dequantize(format: WeightFormat, bytes: Uint8Array, count: number): Float32Array {
  const out = new Float32Array(count);
  format.dequantize(bytes, out);
  return out;
}

/** Relative RMS of one trip through the format for normal values: about half a step, with a margin. */
const roundTrip: Record<string, number> = {
  f32: 0,
  f16: 3e-4,
  bf16: 2.5e-3,
  q4_0: 0.1,
  q4_1: 0.09,
  q5_0: 0.05,
  q5_1: 0.045,
  q8_0: 6e-3,
  q4_k: 0.09,
  q5_k: 0.045,
  q6_k: 0.025,
};

test("formats that files are made of can quantize", () => {
  const able = formats.filter((format) => "quantize" in format).map(({ name }) => name);
  expect(able).toEqual(expect.arrayContaining(Object.keys(roundTrip)));
});

describe.for(formats.filter(({ name }) => name in roundTrip))("$name quantizes", (format) => {
  test("one trip through the format stays within its step", () => {
    const values = randomValues(8 * format.blockSize * 32, 1);
    const back = dequantize(format, quantize(format, values), values.length);
    let error = 0;
    let power = 0;
    for (const [index, value] of values.entries()) {
      error += (back[index] - value) ** 2;
      power += value ** 2;
    }
    expect(Math.sqrt(error / power)).toBeLessThanOrEqual(roundTrip[format.name]);
    const bytes = quantize(format, values);
    expect(bytes.length).toBe(fileBytes(format, values.length));
    const zeros = quantize(format, new Float32Array(format.blockSize * 2));
    expect(dequantize(format, zeros, format.blockSize * 2).every((value) => value === 0)).toBe(true);
  });
});

describe.for(formats)("$name", (format) => {
  const cols = format.blockSize === 1 ? 75 : format.blockSize * 5;
  const sample = (count: number, seed: number): Uint8Array => format.sample(seededRng(seed), count / format.blockSize);

  test("samples are finite, of a fair size, and of either sign", () => {
    const values = dequantize(format, sample(256 * 256, 5), 256 * 256);
    const size = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(size).toBeGreaterThan(0.02);
    expect(size).toBeLessThan(1);
    expect(values.some((value) => value < 0) && values.some((value) => value > 0)).toBe(true);
  });

  test("a scale that is no number is found wherever it stands", () => {
    const blocks = 37;
    const good = sample(blocks * format.blockSize, 4);
    expect(firstBadScale(format, good)).toBe(-1);
    for (const kind of edgeKinds) expect(firstBadScale(format, edgeBlocks(format, kind, blocks)), kind).toBe(-1);
    for (const [index, spoil] of spoilers(format).entries()) {
      for (const block of [0, 11, blocks - 1]) {
        const bytes = good.slice();
        for (const later of [blocks - 1, block]) spoil(bytes, later * format.bytesPerBlock);
        expect(firstBadScale(format, bytes), `spoiler ${index}`).toBe(block);
      }
    }
  });

  test.for(edgeKinds)("blocks of kind %s have finite weights", (kind) => {
    const values = dequantize(format, edgeBlocks(format, kind, 8), 8 * format.blockSize);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(values.some((value) => value !== 0)).toBe(kind !== "zero");
    if (kind === "ones" && format.quantize) expect(values.every((value) => Math.abs(value - 1) < 0.01)).toBe(true);
  });

  test("rows may be repacked group by group, from any byte offset", () => {
    const rows = 19;
    const rowBytes = fileBytes(format, cols);
    const source = sample(rows * cols, 3);
    const shifted = new Uint8Array(source.length + 1);
    shifted.set(source, 1);
    const groupBytes = format.rowGroupBytes(cols);
    const whole = new Uint8Array(3 * groupBytes);
    format.repack(source, { rows, cols }, whole);
    const parts = new Uint8Array(3 * groupBytes);
    format.repack(shifted.subarray(1, 1 + 8 * rowBytes), { rows: 8, cols }, parts.subarray(0, groupBytes));
    format.repack(shifted.subarray(1 + 8 * rowBytes), { rows: 11, cols }, parts.subarray(groupBytes));
    expect(parts).toEqual(whole);
  });
});

/** The layout in words; decode.gpu.test.ts checks that of every format through its shader part. */
describe.for(formats.filter(({ name }) => name in mirrors))("$name layout", (format) => {
  test.for(format.blockSize === 1 ? [75, 64] : [format.blockSize * 5])(
    "row groups of %i columns hold what dequantize names, padded with zeros",
    (width) => {
      const rows = 11;
      const source = format.sample(seededRng(2), (rows * width) / format.blockSize);
      const expected = dequantize(format, source, rows * width);
      const groupBytes = format.rowGroupBytes(width);
      expect(groupBytes % 16).toBe(0);
      const out = new Uint8Array(2 * groupBytes);
      format.repack(source, { rows, cols: width }, out);
      const mirror = mirrors[format.name];
      for (let row = 0; row < 16; row++) {
        const group = new Uint32Array(out.buffer, (row >> 3) * groupBytes, groupBytes / 4);
        for (let col = 0; col < blocksOf(width) * 32; col++) {
          const want = row < rows && col < width ? expected[row * width + col] : 0;
          expect(mirror(group, width, row & 7, col) + 0, `row ${row} col ${col}`).toBe(want + 0);
        }
      }
    },
  );
});

describe.for(formats.filter((format) => format.blockSize > 1))("$name vectors", (format) => {
  test("dequantizes as ggml does, bit for bit", async (context) => {
    const file = format.name.replace("_k", "_K");
    const bytes = await sharedFileOrSkip(context, `data/quant-vectors/${file}.bin`);
    const values = await sharedFileOrSkip(context, `data/quant-vectors/${file}.f32`);
    const out = dequantize(format, bytes, values.byteLength / 4);
    expect(new Uint32Array(out.buffer)).toEqual(new Uint32Array(values.buffer));
    expect(values.byteLength).toBeGreaterThan(0);
  });
});

describe("hand-made blocks", () => {
  test("q8_0", () => {
    const block = new Uint8Array(34);
    new DataView(block.buffer).setUint16(0, f32ToF16(-0.5), true);
    block[2] = 0x80;
    block[33] = 3;
    const out = dequantize(formatByGgufType.get(8)!, block, 32);
    expect([out[0], out[1] + 0, out[31]]).toEqual([64, 0, -1.5]);
  });

  test("q4_0, with a subnormal scale", () => {
    const block = new Uint8Array(18).fill(0x88);
    new DataView(block.buffer).setUint16(0, 3, true);
    block[2] = 0xf0;
    const out = dequantize(formatByGgufType.get(2)!, block, 32);
    expect([out[0], out[1], out[16]]).toEqual([-8 * 3 * 2 ** -24, 0, 7 * 3 * 2 ** -24]);
  });
});

test("every format file is on the list, under its own name and type", async () => {
  const { readdirSync } = await import("node:fs");
  const shared = [
    "bit_planes",
    "block_format",
    "bundle",
    "fives",
    "float",
    "format",
    "index",
    "k_scales",
    "nibbles",
    "row_groups",
    "sample",
    "scaling",
    "shadow",
  ];
  const files = readdirSync(new URL(".", import.meta.url)).filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const names = formats.map((format) => format.name).filter((name) => !["f32", "f16", "bf16"].includes(name));
  expect(files.map((name) => name.replace(/\.ts$/, "")).toSorted()).toEqual([...shared, ...names].toSorted());
  expect(formatByGgufType.size).toBe(formats.length);
  for (const { name, ggufType } of formats) expect([formatName(ggufType), formatType(name)]).toEqual([name, ggufType]);
});
