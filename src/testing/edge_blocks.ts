// File blocks at the edges of what a file may hold, for every weight format: what `sample` does not reach.

import { type Rng, seededRng } from "../base/rng.ts";
import type { WeightFormat } from "../formats/format.ts";

/**
 * zero: all bytes zero. ones: weights of 1, or every code at its highest where the format cannot quantize. huge: random codes under
 * the largest finite scales of either sign. denormal: random codes under scales that are subnormal f16 numbers, and subnormal
 * weights of the plain types.
 */
export type EdgeKind = "zero" | "ones" | "huge" | "denormal";

export const edgeKinds: readonly EdgeKind[] = ["zero", "ones", "huge", "denormal"];

/** The scales of the formats that have others than f16 ones: writes one that suits `kind` into the block at `file`. */
const scaleWriters: Readonly<Record<string, (bytes: Uint8Array, file: number, pick: { kind: EdgeKind; rng: Rng }) => void>> = {
  mxfp4: (bytes, file, { kind, rng }) => {
    bytes[file] = kind === "ones" ? 127 : kind === "huge" ? 144 : rng.below(40);
  },
  nvfp4: (bytes, file, { kind, rng }) => {
    for (let part = 0; part < 4; part++) bytes[file + part] = kind === "ones" ? 0x38 : kind === "huge" ? 0x7e : rng.below(8);
  },
  iq1_m: (bytes, file, pick) => {
    const d = halfFor(pick);
    for (let part = 0; part < 4; part++) {
      const at = file + 49 + part * 2;
      bytes[at] = (bytes[at] & 15) | (((d >> (4 * part)) & 15) << 4);
    }
  },
};

/** f16 bits: 1/64, the largest of either sign, or any subnormal. */
function halfFor({ kind, rng }: { kind: EdgeKind; rng: Rng }): number {
  if (kind === "ones") return 0x2400;
  const sign = rng.below(2) << 15;
  return sign | (kind === "huge" ? 0x7bff : 1 + rng.below(1023));
}

/** A weight of the plain types, as f32 bits: ± 65504, or a subnormal of the type itself. */
function plainBits(format: WeightFormat, { kind, rng }: { kind: EdgeKind; rng: Rng }): number {
  const sign = rng.below(2);
  if (format.name === "f16") return (sign << 15) | (kind === "huge" ? 0x7bff : 1 + rng.below(1023));
  if (format.name === "bf16") return (sign << 15) | (kind === "huge" ? 0x477f : 1 + rng.below(127));
  return ((sign << 31) | (kind === "huge" ? 0x477fe000 : 1 + rng.below(0x7fffff))) >>> 0;
}

function plainBlocks(format: WeightFormat, blocks: number, pick: { kind: EdgeKind; rng: Rng }): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(blocks * format.bytesPerBlock));
  for (let at = 0; at < view.byteLength; at += format.bytesPerBlock) {
    const bits = plainBits(format, pick);
    if (format.bytesPerBlock === 4) view.setUint32(at, bits, true);
    else view.setUint16(at, bits, true);
  }
  return new Uint8Array(view.buffer);
}

/** File bytes of `blocks` blocks of a kind. The weights are finite; `firstBadScale` finds nothing. */
export function edgeBlocks(format: WeightFormat, kind: EdgeKind, blocks: number): Uint8Array<ArrayBuffer> {
  if (kind === "zero") return new Uint8Array(blocks * format.bytesPerBlock);
  if (kind === "ones" && format.quantize) return Uint8Array.from(format.quantize(new Float32Array(blocks * format.blockSize).fill(1)));
  const pick = { kind, rng: seededRng(format.ggufType + 1) };
  if (format.blockSize === 1) return plainBlocks(format, blocks, pick);
  const bytes = kind === "ones" ? new Uint8Array(blocks * format.bytesPerBlock).fill(255) : format.sample(pick.rng, blocks);
  const view = new DataView(bytes.buffer);
  for (let file = 0; file < bytes.length; file += format.bytesPerBlock) {
    for (const half of format.halves) view.setUint16(file + half, halfFor(pick), true);
    scaleWriters[format.name]?.(bytes, file, pick);
  }
  return bytes;
}

/** How far a weight of `edgeBlocks` may be from its file's because it or its scale is subnormal and an adapter may flush it. */
export function flushAllowance({ name }: WeightFormat): number {
  return { f32: 2 ** -126, bf16: 2 ** -126, f16: 2 ** -14, mxfp4: 2 ** -99 }[name] ?? 0;
}
