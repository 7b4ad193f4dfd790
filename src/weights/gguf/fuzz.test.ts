// Seeded mutations of small GGUF files: whatever the bytes, the reader answers with a file whose extents are sound or with a
// typed error, soon. A failure prints the seed of its case, which replays it alone.

import { expect, test } from "vitest";
import { ShaderloomError } from "../../base/errors.ts";
import { seededRng } from "../../base/rng.ts";
import type { Rng } from "../../base/rng.ts";
import { everyValueType, f32Tensor } from "../../testing/gguf_cases.ts";
import { writeGguf } from "../../testing/gguf_writer.ts";
import { bytesSource } from "../byte_source.ts";
import { openGguf } from "./gguf.ts";
import type { GgufFile } from "./gguf.ts";

const cases = 20_000;
const tensors = [f32Tensor("token_embd.weight", [4, 8]), f32Tensor("blk.0.attn_q.weight", [3, 8]), f32Tensor("norm", [7])];
const files = [
  writeGguf({ metadata: everyValueType, tensors }),
  writeGguf({ version: 2, metadata: everyValueType.slice(0, 6), tensors }),
  writeGguf({ metadata: [["general.alignment", "u32", 8]], tensors, alignment: 8 }),
];
const nastyNumbers = [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn, 1n << 32n, 1n << 53n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];

/** One mutation, mostly in the header. */
function mutate(bytes: Uint8Array, rng: Rng): Uint8Array {
  const out = bytes.slice();
  const at = rng.below(out.length);
  const view = new DataView(out.buffer);
  switch (rng.below(7)) {
    case 0:
      out[at] ^= 1 << rng.below(8);
      return out;
    case 1:
      out[at] = rng.below(256);
      return out;
    case 2:
      view.setBigUint64(Math.min(at, out.length - 8), nastyNumbers[rng.below(nastyNumbers.length)], true);
      return out;
    case 3:
      view.setUint32(Math.min(at, out.length - 4), rng.below(16), true); // a type id or a small count
      return out;
    case 4:
      return out.subarray(0, at);
    case 5: {
      const length = rng.below(out.length - at);
      out.copyWithin(rng.below(out.length), at, at + length);
      return out;
    }
    default: {
      const grown = new Uint8Array(out.length + 16);
      grown.set(out.subarray(0, at));
      grown.set(out.subarray(at), at + 1 + rng.below(16));
      return grown;
    }
  }
}

function unsound(file: GgufFile, size: number): boolean {
  let end = file.dataOffset;
  for (const { offset, bytes } of file.tensors.values()) {
    if (offset < end || offset % file.alignment !== 0 || (bytes > 0 && offset + bytes > size)) return true;
    end = offset + bytes;
  }
  return false;
}

test(`${cases} mutated files: sound or a typed error, and soon`, { timeout: 60_000 }, async () => {
  const codes = new Map<string, number>();
  let slowest = 0;
  for (let seed = 0; seed < cases; seed++) {
    const rng = seededRng(seed);
    let bytes: Uint8Array = files[seed % files.length];
    for (let i = rng.below(3); i >= 0 && bytes.length > 8; i--) bytes = mutate(bytes, rng);
    const start = performance.now();
    let code = "accepted";
    try {
      if (unsound(await openGguf(bytesSource(bytes)), bytes.length)) throw new Error("unsound extents");
    } catch (thrown) {
      if (!(thrown instanceof ShaderloomError)) throw new Error(`seed ${seed}: ${String(thrown)}`, { cause: thrown });
      code = thrown.code;
    }
    slowest = Math.max(slowest, performance.now() - start);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  expect([...codes.values()].reduce((sum, count) => sum + count, 0)).toBe(cases);
  // The fuzz is worth something only while it reaches deep: most of the refusals occur, and some mutations are harmless.
  const deep = ["accepted", "FORMAT.magic", "FORMAT.version", "FORMAT.count", "FORMAT.string", "FORMAT.type", "FORMAT.shape"];
  const deeper = ["FORMAT.extent", "FORMAT.truncated", "FORMAT.key", "FORMAT.align", "UNSUPPORTED.type"];
  for (const code of [...deep, ...deeper]) expect(codes.get(code) ?? 0, `${code} among ${JSON.stringify([...codes])}`).toBeGreaterThan(0);
  expect(slowest).toBeLessThan(5000); // usual: a millisecond; the rest is for a busy machine
});
