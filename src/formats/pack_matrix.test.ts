// Where packMatrix and repack write, for every format: the bytes of a bound range, no others, and nothing at all when the sizes of
// source, rows and room do not fit each other. That rows of zero bytes have zero weights is kernels/decode.gpu.test.ts's to show.

import { describe, expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { formats } from "../testing/formats.ts";
import { codebookBytes, fileBytes, matrixBytes, packMatrix, type WeightFormat } from "./format.ts";

const rowCounts = [1, 7, 8, 9];
const guard = 64;
const guardByte = 0xa5;

/** One to three blocks; the plain types also end inside a block of 32. */
function widths(format: WeightFormat): number[] {
  const counts = format.blockSize === 1 ? [1, 2, 3, 33, 64, 96] : [1, 2, 3];
  return counts.map((count) => count * format.blockSize);
}

function fileOf(format: WeightFormat, count: number): Uint8Array<ArrayBuffer> {
  return format.sample(seededRng(format.ggufType), count / format.blockSize);
}

/** Which rows of a bound range have a byte that is not zero: units lie [unit][row in group]. */
function rowsInUse(format: WeightFormat, packed: Uint8Array, cols: number): number[] {
  const found = new Set<number>();
  const groups = packed.subarray(codebookBytes(format));
  const groupBytes = format.rowGroupBytes(cols);
  for (const [at, byte] of groups.entries()) {
    if (byte !== 0) found.add(Math.floor(at / groupBytes) * 8 + (Math.floor((at % groupBytes) / 16) % 8));
  }
  return [...found].toSorted((a, b) => a - b);
}

/** Bytes with a guard on both sides. */
function guarded(length: number): { whole: Uint8Array; inner: Uint8Array } {
  const whole = new Uint8Array(length + 2 * guard).fill(guardByte);
  const inner = whole.subarray(guard, guard + length);
  inner.fill(0);
  return { whole, inner };
}

function isGuarded(whole: Uint8Array): boolean {
  return [whole.subarray(0, guard), whole.subarray(-guard)].every((side) => side.every((byte) => byte === guardByte));
}

describe.for(formats)("$name", (format) => {
  const cases = rowCounts.flatMap((rows) => widths(format).map((cols) => ({ rows, cols })));

  test("a row group is of whole units, and a codebook of whole 256 bytes", () => {
    for (const cols of widths(format)) {
      expect(format.rowGroupBytes(cols) % (16 * 8)).toBe(0);
      expect(format.rowGroupBytes(cols) * 8).toBeGreaterThanOrEqual(fileBytes(format, 8 * cols));
    }
    expect(codebookBytes(format) % 256).toBe(0);
  });

  test.for(cases)("$rows rows of $cols: the codebook, its rows, and zeros for those that are missing", ({ rows, cols }) => {
    const file = fileOf(format, rows * cols);
    const before = file.slice();
    const packed = packMatrix(format, file, { rows, cols });
    expect(packed.length).toBe(matrixBytes(format, rows, cols));
    expect(packed.subarray(0, codebookBytes(format))).toEqual(format.codebook ?? new Uint8Array());
    expect(rowsInUse(format, packed, cols)).toEqual(Array.from({ length: rows }, (_, row) => row));
    expect(file).toEqual(before);

    const { whole, inner } = guarded(packed.length - codebookBytes(format));
    format.repack(file, { rows, cols }, inner);
    expect(isGuarded(whole)).toBe(true);
    expect(inner).toEqual(packed.subarray(codebookBytes(format)));
  });

  test("a row's bytes depend on that row alone", () => {
    const cols = widths(format)[2];
    const rowBytes = fileBytes(format, cols);
    const file = fileOf(format, 9 * cols);
    const changed = file.slice();
    changed.set(format.sample(seededRng(99), cols / format.blockSize), 3 * rowBytes);
    const packed = packMatrix(format, file, { rows: 9, cols });
    const difference = packMatrix(format, changed, { rows: 9, cols }).map((byte, at) => byte ^ packed[at]);
    expect(rowsInUse(format, difference, cols)).toEqual([3]);
    const single = packMatrix(format, file.subarray(8 * rowBytes), { rows: 1, cols });
    expect(packed.subarray(-format.rowGroupBytes(cols))).toEqual(single.subarray(codebookBytes(format)));
  });

  test.for([
    { what: "source one byte short", source: -1, room: 0, shift: 0 },
    { what: "source one block short", source: -format.bytesPerBlock, room: 0, shift: 0 },
    { what: "no source", source: Number.NEGATIVE_INFINITY, room: 0, shift: 0 },
    { what: "source one byte long", source: 1, room: 0, shift: 0 },
    { what: "room one unit short", source: 0, room: -16, shift: 0 },
    { what: "room one unit long", source: 0, room: 16, shift: 0 },
    { what: "room at an odd address", source: 0, room: 0, shift: 1 },
  ])("is refused with nothing written: $what", ({ source, room, shift }) => {
    const span = { rows: 9, cols: widths(format)[1] };
    const length = Math.max(0, fileBytes(format, span.rows * span.cols) + source);
    const file = new Uint8Array(length).fill(0x11);
    const { whole } = guarded(2 * format.rowGroupBytes(span.cols) + 16);
    const out = whole.subarray(guard + shift, guard + shift + 2 * format.rowGroupBytes(span.cols) + room);
    const before = whole.slice();
    expect(() => format.repack(file, span, out)).toThrow(/^assertion failed: /);
    expect(whole).toEqual(before);
  });
});

describe("a matrix of no rows", () => {
  test.for(formats)("$name", (format) => {
    const packed = packMatrix(format, new Uint8Array(), { rows: 0, cols: widths(format)[0] });
    expect(packed).toEqual(format.codebook ?? new Uint8Array());
  });
});
