// The loader against repacking whole tensors at once: same bytes whatever the read size, bounded reads, one error, clean abort.

import { describe, expect, test } from "vitest";
import { ShaderloomError } from "../base/errors.ts";
import { bindAlignment, rowGroupSize, rowStride } from "../base/layout.ts";
import type { LayoutPlan, Slab, SlabPart } from "../base/layout.ts";
import { alignUp, ceilDiv } from "../base/math.ts";
import { seededRng } from "../base/rng.ts";
import { formatByGgufType } from "../testing/formats.ts";
import type { WeightFormat } from "../formats/format.ts";
import { writeGguf } from "../testing/gguf_writer.ts";
import type { GgufTensor } from "../testing/gguf_writer.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { bytesSource } from "./byte_source.ts";
import type { ByteSource } from "./byte_source.ts";
import { openGguf } from "./gguf/gguf.ts";
import { loadWeights } from "./loader.ts";
import type { LoadProgress, LoadWeightsOptions } from "./loader.ts";

const F32 = 0;
const F16 = 1;
const Q8_0 = 8;
const Q4_0 = 2;
const BF16 = 30;

function formatOf(type: number): WeightFormat & { quantize(values: Float32Array): Uint8Array } {
  const format = formatByGgufType.get(type);
  if (format?.quantize === undefined) throw new Error(`no format ${type}`);
  return { ...format, quantize: format.quantize.bind(format) };
}

function randomTensor(name: string, shape: readonly number[], type: number): GgufTensor {
  const rng = seededRng(name.length * 31 + type);
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => rng.normal());
  return { name, shape, type, data: formatOf(type).quantize(values) };
}

const tensors: readonly GgufTensor[] = [
  randomTensor("norm.f32", [33], F32),
  randomTensor("embed", [101, 64], Q8_0),
  randomTensor("q", [40, 96], Q4_0),
  randomTensor("unused", [64, 64], F32),
  randomTensor("k", [17, 96], Q4_0),
  randomTensor("bias.bf16", [40], BF16),
  randomTensor("odd", [9, 172], F32),
  randomTensor("norm.f16", [96], F16),
];

function part(tensor: string, rows: readonly [number, number], byteOffset: number): SlabPart {
  const found = tensors.find(({ name }) => name === tensor);
  if (found === undefined) throw new Error(tensor);
  const [rowStart, rowEnd] = rows;
  const groups = ceilDiv(rowEnd - rowStart, rowGroupSize);
  const bytes = alignUp(groups * formatOf(found.type).rowGroupBytes(found.shape.at(-1) ?? 0), bindAlignment);
  return { tensor, rowStart, rows: rowEnd - rowStart, byteOffset, bytes };
}

function matrix(name: string, shape: { cols: number; ggufType: number }, parts: readonly SlabPart[]): Slab {
  return { name, kind: "matrix", ...shape, parts, bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function vectors(): Slab {
  const parts: SlabPart[] = [];
  let byteOffset = 0;
  for (const { name, shape } of tensors.filter((tensor) => tensor.shape.length === 1)) {
    const bytes = alignUp(rowStride(shape[0]) * 4, bindAlignment);
    parts.push({ tensor: name, rowStart: 0, rows: 1, byteOffset, bytes });
    byteOffset += bytes;
  }
  return { name: "vectors", kind: "vector", ggufType: F32, cols: 0, bytes: byteOffset, parts };
}

function makePlan(): LayoutPlan {
  const q = part("q", [0, 40], 0);
  const slabs = [
    matrix("embed#0", { cols: 64, ggufType: Q8_0 }, [part("embed", [0, 64], 0)]),
    matrix("embed#1", { cols: 64, ggufType: Q8_0 }, [part("embed", [64, 101], 0)]),
    matrix("qk", { cols: 96, ggufType: Q4_0 }, [q, part("k", [0, 17], q.bytes)]),
    matrix("odd", { cols: 172, ggufType: F32 }, [part("odd", [0, 9], 0)]),
    vectors(),
  ];
  return { slabs, bytes: slabs.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** What each slab must hold, by whole tensors. */
function expectedSlabs(): Map<string, Uint8Array> {
  const out = new Map<string, Uint8Array>();
  for (const slab of makePlan().slabs) {
    const bytes = new Uint8Array(slab.bytes);
    for (const { tensor, rowStart, rows, byteOffset } of slab.parts) {
      const { data, type, shape } = tensors.find(({ name }) => name === tensor) ?? tensors[0];
      const format = formatOf(type);
      if (slab.kind === "vector") format.dequantize(data, new Float32Array(bytes.buffer, byteOffset, shape[0]));
      else {
        const rowBytes = data.length / shape[0];
        const length = ceilDiv(rows, rowGroupSize) * format.rowGroupBytes(slab.cols);
        const source = data.subarray(rowStart * rowBytes, (rowStart + rows) * rowBytes);
        format.repack(source, { rows, cols: slab.cols }, bytes.subarray(byteOffset, byteOffset + length));
      }
    }
    out.set(slab.name, bytes);
  }
  return out;
}

interface Loaded {
  readonly slabs: Map<string, Uint8Array>;
  readonly reads: number[];
  readonly mostInFlight: number;
  readonly progress: LoadProgress[];
}

const file = writeGguf({ metadata: [], tensors });

/** A source whose reads take a turn of the event loop, and that counts them. */
function slowSource(): { source: ByteSource; reads: number[]; most: () => number } {
  const plain = bytesSource(file, "test.gguf");
  const reads: number[] = [];
  let now = 0;
  let most = 0;
  const read: ByteSource["read"] = async (offset, length, options) => {
    reads.push(length);
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 1));
    now--;
    return plain.read(offset, length, options);
  };
  return { source: { ...plain, read }, reads, most: () => most };
}

async function load(options: Partial<LoadWeightsOptions> = {}): Promise<Loaded> {
  const { source, reads, most } = slowSource();
  const { tensors: infos } = await openGguf(bytesSource(file));
  const plan = makePlan();
  const slabs = new Map(plan.slabs.map(({ name, bytes }) => [name, new Uint8Array(bytes)]));
  const progress: LoadProgress[] = [];
  const upload: LoadWeightsOptions["upload"] = async (slab, byteOffset, bytes) => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    slabs.get(slab)?.set(bytes, byteOffset);
  };
  const onProgress = (step: LoadProgress): void => void progress.push(step);
  await loadWeights({ source, tensors: infos, plan, formats: formatByGgufType, upload, onProgress, ...options });
  return { slabs, reads, mostInFlight: most(), progress };
}

describe("what reaches the slabs", () => {
  test.each([61, 700, 4096, 1 << 20])("equals whole tensors repacked, in chunks of %i bytes", async (chunkBytes) => {
    const { slabs, reads, mostInFlight } = await load({ chunkBytes });
    for (const [name, bytes] of expectedSlabs()) expect(Buffer.compare(slabs.get(name) ?? new Uint8Array(0), bytes), name).toBe(0);
    expect(mostInFlight).toBeLessThanOrEqual(4);
    expect(Math.max(...reads)).toBeLessThanOrEqual(chunkBytes);
    if (chunkBytes === 1 << 20) expect(reads).toHaveLength(1);
    if (chunkBytes === 700) expect(mostInFlight).toBe(4);
  });

  test("equals whole tensors repacked where a tensor takes several chunks and uploads", async () => {
    const [rows, cols] = [2501, 4096];
    const bytes = formatOf(Q4_0).sample(seededRng(7), (rows * cols) / 32);
    const big = { name: "big", shape: [rows, cols], type: Q4_0, offset: 0, bytes: bytes.length };
    const format = formatOf(Q4_0);
    const length = ceilDiv(rows, rowGroupSize) * format.rowGroupBytes(cols);
    const expected = new Uint8Array(length);
    format.repack(bytes, { rows, cols }, expected);
    const whole = { tensor: "big", rowStart: 0, rows, byteOffset: 0, bytes: length };
    const plan: LayoutPlan = { slabs: [matrix("big", { cols, ggufType: Q4_0 }, [whole])], bytes: length };
    const slab = new Uint8Array(length);
    let most = 0;
    const upload: LoadWeightsOptions["upload"] = (_, byteOffset, packed) => {
      most = Math.max(most, packed.length);
      slab.set(packed, byteOffset);
    };
    await load({ source: bytesSource(bytes), tensors: new Map([["big", big]]), plan, upload });
    expect(Buffer.compare(slab, expected)).toBe(0);
    expect(most).toBeLessThanOrEqual(2 << 20);
  });

  test("progress begins at nothing, never falls and ends at everything", async () => {
    const { progress } = await load({ chunkBytes: 700 });
    expect(progress[0]).toMatchObject({ loaded: 0, file: "test.gguf", fromCache: false });
    for (let i = 1; i < progress.length; i++) expect(progress[i].loaded).toBeGreaterThanOrEqual(progress[i - 1].loaded);
    const last = progress.at(-1);
    expect(last?.loaded).toBe(last?.total);
    expect(last?.bytesPerSecond).toBeGreaterThan(0);
  });
});

describe("failures", () => {
  test("the first one is told, and nothing goes on after it", async () => {
    let failed = false;
    let after = 0;
    const upload = (): void => {
      if (failed) after++;
      failed = true;
      throw new ShaderloomError("GPU.oom", "No memory. Pick a smaller model.");
    };
    expect(await errorCode(load({ chunkBytes: 700, upload }))).toBe("GPU.oom");
    expect(after).toBeLessThanOrEqual(3); // those whose reads were under way
    const seen = after;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(after).toBe(seen);
  });

  test("a source that fails in the middle", async () => {
    const plain = bytesSource(file);
    let count = 0;
    const read: ByteSource["read"] = async (offset, length) => {
      if (++count === 5) throw new ShaderloomError("SOURCE.changed", "It changed. Pick it again.");
      return plain.read(offset, length);
    };
    expect(await errorCode(load({ chunkBytes: 700, source: { ...plain, read } }))).toBe("SOURCE.changed");
    const short: ByteSource["read"] = async (offset, length) => plain.read(offset, length - 1);
    expect(await errorCode(load({ source: { ...plain, read: short } }))).toBe("SOURCE.length");
  });

  test("abort before, and between reads of a source that never waits", async () => {
    expect(await errorCode(load({ signal: AbortSignal.abort() }))).toBe("AbortError");
    const controller = new AbortController();
    let uploads = 0;
    const upload = (): void => {
      if (++uploads === 3) controller.abort();
    };
    expect(await errorCode(load({ chunkBytes: 700, source: bytesSource(file), upload, signal: controller.signal }))).toBe("AbortError");
    expect(uploads).toBeLessThan(7);
  });

  test("a file without a planned tensor, or with another shape, before anything is read", async () => {
    const { tensors: infos } = await openGguf(bytesSource(file));
    const reads: number[] = [];
    const source: ByteSource = { ...bytesSource(file), read: async (_, length) => (reads.push(length), new Uint8Array(length)) };
    const without = new Map([...infos].filter(([name]) => name !== "k"));
    expect(await errorCode(load({ source, tensors: without }))).toBe("MODEL.tensor");
    for (const shape of [[16, 96], [17, 64], [17]]) {
      const info = infos.get("k");
      if (info === undefined) throw new Error("k");
      expect(await errorCode(load({ source, tensors: new Map([...infos, ["k", { ...info, shape }]]) }))).toBe("MODEL.shape");
    }
    const norm = infos.get("norm.f32");
    if (norm === undefined) throw new Error("norm");
    expect(await errorCode(load({ source, tensors: new Map([...infos, ["norm.f32", { ...norm, shape: [3300] }]]) }))).toBe("MODEL.shape");
    expect(reads).toEqual([]);
  });

  test("row 20: a scale that is no number, on every load, names tensor, type and block", async () => {
    const { tensors: infos } = await openGguf(bytesSource(file));
    for (const [bits, block] of [
      [0x7e00, 0],
      [0x7c00, 17],
      [0xfc00, 50],
    ] as const) {
      const bytes = file.slice();
      new DataView(bytes.buffer).setUint16((infos.get("k")?.offset ?? 0) + block * 18, bits, true);
      for (const chunkBytes of [256, 1 << 20]) {
        const error = await typedError(load({ source: bytesSource(bytes), chunkBytes }));
        expect(error).toMatchObject({ code: "MODEL.values", detail: { tensor: "k", type: "Q4_0", block } });
        expect(error.message).toContain("The tensor k (Q4_0) has a scale that is no finite number, in block " + block);
      }
    }
  });

  test("row 20: values that are no numbers, in vectors and in matrices, asked for or not", async () => {
    const { tensors: infos } = await openGguf(bytesSource(file));
    const poison = (name: string): ByteSource => {
      const bytes = file.slice();
      new DataView(bytes.buffer).setFloat32(infos.get(name)?.offset ?? 0, Number.NaN, true);
      return bytesSource(bytes);
    };
    expect(await errorCode(load({ source: poison("norm.f32") }))).toBe("MODEL.values");
    expect(await errorCode(load({ source: poison("odd") }))).toBe("MODEL.values");
    expect(await errorCode(load({ source: poison("odd"), scan: true }))).toBe("MODEL.values");
    expect((await load({ scan: true })).slabs.size).toBe(5);
  });
});
