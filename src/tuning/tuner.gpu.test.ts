// The self-test and the race on a real device, with variants that are wrong, do not compile, are slow or lose the device.

import { expect, test } from "vitest";
import { seededRng } from "../base/rng.ts";
import { codebookBytes, packMatrix } from "../formats/format.ts";
import { q8_0 } from "../formats/q8_0.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { type OpenDevice, openDevice } from "../gpu/device.ts";
import { createPipelineCache } from "../gpu/pipelines.ts";
import type { KernelCall } from "../graph/call.ts";
import { kernelCall } from "../graph/call.ts";
import type { KernelTarget, Variant } from "../kernels/kernel.ts";
import { linear } from "../kernels/linear.ts";
import type { LinearAttributes } from "../kernels/matrix.ts";
import { shaderFiles } from "../testing/shader_files.ts";
import { gpuOrSkip } from "../testing/gpu.ts";
import { collectClasses } from "./classes.ts";
import type { Shelf } from "./memory.ts";
import type { KernelReport, TuningMode } from "./report.ts";
import type { TuneProgress } from "./tune.ts";
import { Tuner } from "./tuner.ts";

const [n, k] = [72, 64];
const attributes: LinearAttributes = { format: q8_0, k, n, bias: true, outStart: 0, outCols: n, over: "rows", out: "act" };

const value = { id: 0, name: "x", rows: "rows", cols: k, type: "act" } as const;

/** A product whose variants are the default one, changed. */
function productOf(variantsOf: (standard: Variant) => readonly Variant[]): KernelCall {
  const kernel = {
    ...linear,
    variants: (given: LinearAttributes, target: KernelTarget): readonly Variant[] => variantsOf(linear.variants(given, target)[0]),
  };
  const range = { tensor: "w", ggufType: q8_0.ggufType, cols: k, rowStart: 0, rows: n };
  const vector = { tensor: "b", length: n };
  return kernelCall(kernel, attributes, { inputs: [value], outputs: [{ ...value, id: 1, cols: n }], weights: [range], vectors: [vector] });
}

/** The variant with another store of its results. */
function storing(standard: Variant, key: string, result: string): Variant {
  const text = `fn finish(row: u32, col: u32, value: f32) { ${result} }
    fn finish_pair(row: u32, col: u32, sums: vec2<f32>) { finish(row, col, sums.x); }
    fn zero_tail(row: u32) { for (var col = TAIL_START; col < Y_STRIDE; col++) { y[row * Y_STRIDE + col] = y_t(0.0); } }`;
  const files = standard.files.map((file) => (typeof file === "string" && file.startsWith("parts/epilogue/") ? { name: key, text } : file));
  return { ...standard, key, files };
}

const sum = "let sum = value + bias[col];";
const place = "y[row * Y_STRIDE + OUT_START + col]";
const right = `${sum} ${place} = y_t(sum);`;
const good = (standard: Variant): Variant => storing(standard, "good", right);
const broken = (standard: Variant): Variant => storing(standard, "broken", "this is no WGSL");
const wrong = (standard: Variant): Variant => storing(standard, "wrong", `${sum} ${place} = y_t(sum * 1.01);`);
const lastRow = `${sum} if (col + 1u < N) { ${place} = y_t(sum); }`;
const slow = (standard: Variant): Variant =>
  storing(
    standard,
    "slow",
    `${sum} var junk = row; for (var i = 0u; i < 20000u + step.reserved0; i++) { junk = junk * 1664525u + i; }
     ${place} = y_t(select(sum, 0.0, junk == 12345u));`,
  );

/** A product with a rival under which this device is lost. */
function hangingOn(device: GPUDevice | undefined): KernelCall {
  return productOf((standard) => {
    const grid: Variant["grid"] = (step) => {
      device?.destroy();
      return standard.grid(step);
    };
    return [good(standard), { ...storing(standard, "hanging", right), grid }];
  });
}

interface Running {
  readonly call: KernelCall;
  readonly mode?: TuningMode;
  readonly shelf?: Shelf | undefined;
  readonly ledger?: BufferLedger;
  readonly signal?: AbortSignal;
}

interface Tuned extends KernelReport {
  readonly bytesLeft: number;
  readonly tuner: Tuner;
}

/** Tunes a program of one call in weights of its own. */
async function tune({ device, caps }: OpenDevice, running: Running): Promise<Tuned> {
  const { call, mode = "race", shelf, ledger = new BufferLedger(device), signal = new AbortController().signal } = running;
  const target = { caps, deviceClass: caps.deviceClass, precision: "f32", maxRows: 1 } as const;
  const classes = collectClasses([{ label: "decode", calls: [call], target, stepRows: 1, maxOutputRows: 1 }]);
  const file = q8_0.sample(seededRng(3), (n * k) / q8_0.blockSize);
  const packed = packMatrix(q8_0, file, { rows: n, cols: k });
  expect(codebookBytes(q8_0)).toBe(0);
  const slab = device.createBuffer({ size: packed.byteLength, usage: 0x80 | 0x08 }); // STORAGE | COPY_DST
  device.queue.writeBuffer(slab, 0, packed);
  const pipelines = createPipelineCache(device, shaderFiles);
  const shared = { device, caps, ledger, pipelines, classes, mode, signal };
  const tuner = new Tuner({ ...shared, weights: () => ({ buffer: slab }), openShelf: async () => shelf });
  tuner.kept.pass({ tensor: "w", tensorRow: 0, rows: n, cols: k, format: q8_0, bytes: file });
  await tuner.compile(Promise.resolve());
  const report = await tuner.finish();
  return { ...report, bytesLeft: ledger.bytes().total, tuner };
}

function shelfOf(held: { value?: unknown }): Shelf {
  const write = async (written: unknown): Promise<void> => void (held.value = structuredClone(written));
  return { mine: true, read: async () => held.value, write, close: () => undefined };
}

test("a variant that is wrong or does not compile is dropped for the next and named, wherever it stands", async (context) => {
  const opened = await openDevice(await gpuOrSkip(context), { deviceClass: "cpu" });
  const orders = [
    [broken, wrong, good],
    [good, broken, wrong],
  ];
  for (const order of orders) {
    const call = productOf((standard) => order.map((make) => make(standard)));
    const { chosen, dropped, bytesLeft } = await tune(opened, { call });
    expect(chosen).toMatchObject([{ variant: "good", checked: true }]);
    expect(dropped.map(({ variant }) => variant).toSorted()).toEqual(["broken", "wrong"]);
    expect(dropped.find(({ variant }) => variant === "wrong")?.reason).toMatch(/NMSE of \d/);
    expect(dropped.find(({ variant }) => variant === "broken")?.reason).toContain("does not compile");
    expect(bytesLeft).toBe(0);
  }
  const call = productOf((standard) => [storing(standard, "lazy", lastRow), good(standard)]);
  const { dropped } = await tune(opened, { call, mode: "off" });
  expect(dropped).toMatchObject([{ kernel: "linear", variant: "lazy", reason: expect.stringContaining("which is no number") }]);
  opened.destroy();
});

test("when no variant is left the load fails, naming kernel and reasons, and leaves nothing", async (context) => {
  const opened = await openDevice(await gpuOrSkip(context), { deviceClass: "cpu" });
  const ledger = new BufferLedger(opened.device);
  const call = productOf((standard) => [wrong(standard), broken(standard)]);
  const failing = tune(opened, { call, ledger });
  await expect(failing).rejects.toMatchObject({ code: "GPU.selftest", detail: { kernel: "linear" } });
  await expect(failing).rejects.toThrow(/wrong: its results are off/);
  await expect(failing).rejects.toThrow(/broken: .*does not compile/);
  expect(ledger.bytes().total).toBe(0);
  opened.destroy();
});

test("the faster of two wins, is remembered, and runs without a race in the next load", async (context) => {
  const opened = await openDevice(await gpuOrSkip(context), { deviceClass: "cpu" });
  const call = productOf((standard) => [slow(standard), storing(standard, "fast", right)]);
  const held: { value?: unknown } = {};
  const first = await tune(opened, { call, shelf: shelfOf(held) });
  expect(first.chosen).toMatchObject([{ variant: "fast", how: "raced", checked: true }]);
  expect(first.chosen[0].ms).toBeLessThan(first.chosen[0].defaultMs ?? 0);
  expect(first.clock).not.toBeNull();
  const second = await tune(opened, { call, shelf: shelfOf(held) });
  expect(second).toMatchObject({ clock: null, rivals: 0, chosen: [{ variant: "fast", how: "stored", checked: true }] });
  // Other rivals are another race, and a record that says nonsense is none.
  const third = await tune(opened, {
    call: productOf((standard) => [storing(standard, "fast", right), slow(standard)]),
    shelf: shelfOf(held),
  });
  expect(third.chosen).toMatchObject([{ variant: "fast", how: "raced" }]);
  const fourth = await tune(opened, { call, shelf: shelfOf({ value: { version: 2, classes: "all" } }) });
  expect(fourth.chosen).toMatchObject([{ how: "raced" }]);
  // The default has no rival to try.
  const off = await tune(opened, { call, mode: "off", shelf: shelfOf(held) });
  expect(off.chosen).toMatchObject([{ variant: "slow", how: "default", checked: true }]);
  opened.destroy();
});

test("a sweep times every variant, changes nothing, and leaves its winner to the next load", async (context) => {
  const opened = await openDevice(await gpuOrSkip(context), { deviceClass: "cpu" });
  const held: { value?: unknown } = {};
  const call = productOf((standard) => [slow(standard), wrong(standard), storing(standard, "fast", right)]);
  const ledger = new BufferLedger(opened.device);
  const { tuner, chosen } = await tune(opened, { call, mode: "auto", shelf: shelfOf(held), ledger });
  expect(chosen).toMatchObject([{ variant: "slow", how: "default", checked: true }]);
  const moments: TuneProgress[] = [];
  const { variants, dropped, stored } = await tuner.sweep({ signal: undefined, onProgress: (moment) => moments.push(moment) });
  expect(stored).toBe(true);
  expect(variants.map(({ variant, isDefault, chosen: won }) => [variant, isDefault, won])).toEqual([
    ["slow", true, false],
    ["fast", false, true],
  ]);
  for (const { ms, predictedMs } of variants) expect(ms).toBeGreaterThanOrEqual(predictedMs);
  expect(dropped).toMatchObject([{ variant: "wrong" }]);
  expect(moments).toMatchObject([{ done: 0, total: 1 }, { done: 1 }]);
  expect(ledger.bytes().total).toBe(0);
  await expect(tuner.sweep({ signal: AbortSignal.abort(), onProgress: undefined })).rejects.toMatchObject({ code: "AbortError" });
  expect(ledger.bytes().total).toBe(0);
  const choose = tuner.chooseFor("decode");
  const target = { caps: opened.caps, deviceClass: "cpu", precision: "f32", maxRows: 1 } as const;
  expect(await choose(call, target)).toMatchObject({ key: "slow" });
  // A class that no load would race takes what the sweep found all the same.
  const next = await tune(opened, { call, mode: "auto", shelf: shelfOf(held) });
  expect(next.chosen).toMatchObject([{ variant: "fast", how: "stored" }]);
  opened.destroy();
});

test("a variant under which the device is lost is not tried again", async (context) => {
  const gpu = await gpuOrSkip(context);
  const losing = await openDevice(gpu, { deviceClass: "cpu" });
  const held: { value?: unknown } = {};
  await expect(tune(losing, { call: hangingOn(losing.device), shelf: shelfOf(held) })).rejects.toMatchObject({ code: "GPU.lost" });
  const opened = await openDevice(gpu, { deviceClass: "cpu" });
  for (const clock of [null, null]) {
    const report = await tune(opened, { call: hangingOn(undefined), shelf: shelfOf(held) });
    expect(report).toMatchObject({ clock, chosen: [{ variant: "good" }] });
    expect(report.dropped).toMatchObject([{ variant: "hanging", reason: expect.stringContaining("was lost") }]);
  }
  opened.destroy();
});

test("without room nothing is checked and nothing is called wrong; an abort ends the load", async (context) => {
  const opened = await openDevice(await gpuOrSkip(context), { deviceClass: "cpu" });
  const call = productOf((standard) => [storing(standard, "good", right), slow(standard)]);
  const ledger = new BufferLedger(opened.device);
  ledger.create = (kind, { label }) => opened.device.createBuffer({ label: `${kind} ${label}`, size: 2 ** 50, usage: 0x80 });
  const report = await tune(opened, { call, mode: "off", ledger });
  expect(report).toMatchObject({ dropped: [], chosen: [{ variant: "good", checked: false }] });
  await expect(tune(opened, { call, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "AbortError" });
  opened.destroy();
});
