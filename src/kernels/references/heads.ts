// What kernels that turn heads and write pages should give.

import type { HeadsAttributes } from "../heads.ts";
import type { CpuArgs, CpuTensor } from "../kernel.ts";
import type { KvStoreAttributes } from "../kv_store.ts";
import type { RegroupAttributes } from "../regroup.ts";
import type { RopeAttributes } from "../rope.ts";
import { kvIndex, kvKept, kvKeptVector } from "./kv.ts";

export function ropeReference({ heads, headDim, rotaryDim, pairing }: RopeAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const [table] = args.tables;
  const half = rotaryDim / 2;
  const data = x.data.slice();
  for (const [row, { position: place }] of args.rows.entries()) {
    const position = place + (args.shift ?? 0);
    for (let head = 0; head < heads; head++) {
      const base = (row * heads + head) * headDim;
      for (let pair = 0; pair < half; pair++) {
        const first = base + (pairing === "half" ? pair : 2 * pair);
        const second = pairing === "half" ? first + half : first + 1;
        const cos = table[(position * half + pair) * 2];
        const sin = table[(position * half + pair) * 2 + 1];
        data[first] = x.data[first] * cos - x.data[second] * sin;
        data[second] = x.data[first] * sin + x.data[second] * cos;
      }
    }
  }
  return [{ rows: x.rows, cols: x.cols, data }];
}

export function regroupReference({ heads, numKvHeads, headDim }: RegroupAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [x] = args.inputs;
  const [words] = args.tables;
  const order = new Uint32Array(words.buffer, words.byteOffset, words.length);
  const group = heads / numKvHeads;
  const data = x.data.map((_, index) => {
    const head = Math.floor(index / headDim);
    const kvHead = Math.floor((head % heads) / group);
    return x.data[head * headDim + order[kvHead * headDim + (index % headDim)]];
  });
  return [{ rows: x.rows, cols: x.cols, data }];
}

export function kvStoreReference({ kv: layout }: KvStoreAttributes, args: CpuArgs): readonly CpuTensor[] {
  const [k, v] = args.inputs;
  const cols = layout.numKvHeads * layout.headDim;
  for (const [row, { slot, position }] of args.rows.entries()) {
    if (!args.kv) continue;
    for (let head = 0; head < layout.numKvHeads; head++) {
      const at = kvIndex(args.kv, layout, { slot, position, head });
      const start = row * cols + head * layout.headDim;
      args.kv.keys.set(kvKeptVector(layout, k.data.subarray(start, start + layout.headDim)), at);
      args.kv.values.set(kvKeptVector(layout, v.data.subarray(start, start + layout.headDim)), at);
    }
  }
  return [];
}

interface Head {
  /** Columns of one head, changed in place. */
  readonly x: Float64Array;
  readonly position: number;
  readonly norm: { readonly eps: number } | undefined;
  readonly weight: Float32Array | undefined;
  readonly turns: Float32Array;
}

/** RMS norm, then RoPE. */
function turnHead({ rotaryDim, pairing }: HeadsAttributes, { x, position, norm, weight, turns }: Head): void {
  if (norm && weight) {
    const scale = 1 / Math.sqrt(x.reduce((sum, value) => sum + value ** 2, 0) / x.length + norm.eps);
    for (let d = 0; d < x.length; d++) x[d] *= scale * weight[d];
  }
  const half = rotaryDim / 2;
  for (let pair = 0; pair < half; pair++) {
    const first = pairing === "half" ? pair : 2 * pair;
    const second = pairing === "half" ? first + half : first + 1;
    const [a, b] = [x[first], x[second]];
    const [cos, sin] = turns.subarray((position * half + pair) * 2);
    x[first] = a * cos - b * sin;
    x[second] = a * sin + b * cos;
  }
}

/** Queries [rows, numHeads * headDim]; keys and values go into `args.kv`, in place. */
export function headsReference(attributes: HeadsAttributes, args: CpuArgs): readonly CpuTensor[] {
  const { kv: layout, numHeads, headDim, keyStart, valueStart, qNorm, kNorm } = attributes;
  const [qkv] = args.inputs;
  const [turns] = args.tables;
  const queryWeight = qNorm && args.vectors[0];
  const keyWeight = kNorm && args.vectors[qNorm ? 1 : 0];
  const cols = numHeads * headDim;
  const data = new Float32Array(args.rows.length * cols);
  for (const [row, { position, slot }] of args.rows.entries()) {
    const turned = position + (args.shift ?? 0);
    const head = (start: number): Float64Array =>
      Float64Array.from(qkv.data.subarray(row * qkv.cols + start, row * qkv.cols + start + headDim));
    for (let h = 0; h < numHeads; h++) {
      const x = head(h * headDim);
      turnHead(attributes, { x, position: turned, norm: qNorm, weight: queryWeight, turns });
      data.set(x, row * cols + h * headDim);
    }
    for (let h = 0; h < layout.numKvHeads && args.kv; h++) {
      const x = head(keyStart + h * headDim);
      turnHead(attributes, { x, position: turned, norm: kNorm, weight: keyWeight, turns });
      const at = kvIndex(args.kv, layout, { slot, position, head: h });
      args.kv.keys.set(
        x.map((value) => kvKept(layout, value)),
        at,
      );
      args.kv.values.set(
        head(valueStart + h * headDim).map((value) => kvKept(layout, value)),
        at,
      );
    }
  }
  return [{ rows: args.rows.length, cols, data }];
}
