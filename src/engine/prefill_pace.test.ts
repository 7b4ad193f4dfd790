// Prefill on GPUs that exist on paper only: submits stay near the budget whatever the GPU's speed, and the GPU stays busy.

import { describe, expect, test } from "vitest";
import { type Load, PrefillPace } from "./prefill_pace.ts";

interface PaperGpu {
  /** What each kernel takes for a unit of its work. */
  readonly msPerUnit: (kernel: string) => number;
  readonly lateMs?: number;
  readonly tickMs?: number;
  /** How long a given submit takes beside what it should: a busy machine's noise. */
  readonly noise?: (submit: number) => number;
}

/** A model of 24 layers of 900 wide: products, and attention over everything before. */
function loadsOf(rows: number, position: number): Load[] {
  const product = (units: number): Load => ({ kernel: "linear", units: rows * units });
  const layer = [
    { kernel: "rms_norm", units: rows * 4e3 },
    product(1e6),
    { kernel: "attention_prefill", units: rows * (2e5 + 1e3 * position) },
    product(0.8e6),
    { kernel: "rms_norm", units: rows * 4e3 },
    product(8e6),
    { kernel: "glu", units: rows * 2e4 },
    product(4e6),
  ];
  return Array.from({ length: 24 }, () => layer).flat();
}

interface Run {
  /** Of each submit, in order. */
  readonly submitMs: readonly number[];
  readonly rows: readonly number[];
  readonly totalMs: number;
  /** Time that the GPU had something to do. */
  readonly busyMs: number;
}

/** Prefill of a long prompt on paper, begun at that time. */
function run(pace: PrefillPace, gpu: PaperGpu, { tokens, from = 1000 }: { tokens: number; from?: number }): Run {
  let now = from;
  let gpuFree = now;
  const submitMs: number[] = [];
  const rowsTaken: number[] = [];
  let busyMs = 0;
  const outstanding: Array<{ loads: readonly Load[]; submittedMs: number; doneMs: number }> = [];
  const land = (): void => {
    const oldest = outstanding.shift();
    if (!oldest) return;
    now = Math.max(now, oldest.doneMs);
    pace.ended(oldest.loads, oldest);
  };
  const start = now;
  for (let left = tokens; left > 0;) {
    const position = tokens - left;
    const rows = Math.min(
      left,
      pace.rows(256, (most) => loadsOf(most, position)),
    );
    rowsTaken.push(rows);
    left -= rows;
    const loads = loadsOf(rows, position);
    for (let at = 0; at < loads.length;) {
      while (!pace.mayFollow(outstanding.map((submit) => submit.loads))) land();
      const end = pace.cut(loads, at);
      const taken = loads.slice(at, end);
      const noise = gpu.noise?.(submitMs.length) ?? 1;
      const ms = noise * taken.reduce((sum, { kernel, units }) => sum + units * gpu.msPerUnit(kernel), 0);
      gpuFree = Math.max(now, gpuFree) + ms;
      busyMs += ms;
      submitMs.push(ms);
      const late = gpuFree + (gpu.lateMs ?? 0.3);
      const doneMs = gpu.tickMs ? Math.ceil(late / gpu.tickMs) * gpu.tickMs : late;
      outstanding.push({ loads: taken, submittedMs: now, doneMs });
      at = end;
    }
  }
  while (outstanding.length > 0) land();
  return { submitMs, rows: rowsTaken, totalMs: now - start, busyMs };
}

const even = (msPerUnit: number) => (): number => msPerUnit;

/** GPUs of 2 TMAC/s down to software of 5 GMAC/s. */
const speeds: Array<[name: string, msPerUnit: number, rows: number]> = [
  ["a large GPU", 5e-10, 256],
  ["a small GPU", 1e-8, 64],
  ["software", 2e-7, 32],
];

describe("submits", () => {
  test.for(speeds)("%s: at most three budgets after the first few, with rows as the longest dispatch allows", ([, msPerUnit, rows]) => {
    const pace = new PrefillPace(8);
    run(pace, { msPerUnit: even(msPerUnit) }, { tokens: 512 });
    const { submitMs, rows: taken } = run(pace, { msPerUnit: even(msPerUnit) }, { tokens: 2048, from: 1e6 });
    expect(taken.at(1)).toBe(rows);
    const longestDispatch = rows * 8e6 * msPerUnit;
    expect(Math.max(...submitMs)).toBeLessThanOrEqual(Math.max(24, 1.01 * longestDispatch));
  });

  const slower: Array<[times: number, msPerUnit: number]> = [
    [20, 5e-10],
    [100, 5e-10],
    [20, 5e-9],
  ];
  test.for(slower)(
    "a kernel %i times slower than the others is found out, though it takes more the longer the prompt",
    ([times, msPerUnit]) => {
      const pace = new PrefillPace(8);
      const gpu = { msPerUnit: (kernel: string) => (kernel === "attention_prefill" ? times * msPerUnit : msPerUnit) };
      run(pace, gpu, { tokens: 1024 });
      const { submitMs, totalMs, busyMs } = run(pace, gpu, { tokens: 4096, from: 1e6 });
      // One rate for all kernels would give submits of up to 23, 66 and 29 ms here.
      expect(Math.max(...submitMs)).toBeLessThanOrEqual(16);
      expect(totalMs).toBeLessThan(1.05 * busyMs);
    },
  );

  test("a machine that stutters does not lead astray for long", () => {
    const pace = new PrefillPace(8);
    const gpu = { msPerUnit: even(5e-9), noise: (submit: number) => (submit % 10 === 3 ? 6 : 1) };
    run(pace, gpu, { tokens: 1024 });
    const { submitMs } = run(pace, gpu, { tokens: 2048, from: 1e6 });
    const quiet = submitMs.filter((_, index) => index % 10 !== 3).toSorted((a, b) => a - b);
    expect(quiet.at(-1)).toBeLessThanOrEqual(24);
    expect(quiet[quiet.length >> 1]).toBeGreaterThanOrEqual(2);
  });

  test("no budget: one submit a chunk of all rows", () => {
    const pace = new PrefillPace(0);
    const { submitMs, rows } = run(pace, { msPerUnit: even(2e-7) }, { tokens: 512 });
    expect(rows).toEqual([256, 256]);
    expect(submitMs).toHaveLength(2);
  });
});

describe("a browser that tells late", () => {
  const late: Array<[name: string, gpu: PaperGpu, latencyMs: number]> = [
    ["100 ms after the end", { msPerUnit: even(5e-9), lateMs: 100 }, 100],
    ["at ticks of 100 ms", { msPerUnit: even(5e-9), tickMs: 100 }, 100],
  ];
  test.for(late)("%s: the GPU is not left waiting, and submits do not outgrow the budget", ([, gpu, latencyMs]) => {
    const pace = new PrefillPace(8);
    pace.heardAfter(latencyMs);
    run(pace, gpu, { tokens: 2048 });
    const { submitMs, totalMs, busyMs } = run(pace, gpu, { tokens: 4096, from: 1e6 });
    expect(Math.max(...submitMs)).toBeLessThanOrEqual(24);
    expect(totalMs).toBeLessThan(1.3 * busyMs + 2 * latencyMs);
  });
});

test("counts and the longest", () => {
  const pace = new PrefillPace(8);
  pace.ended([{ kernel: "linear", units: 1 }], { submittedMs: 10, doneMs: 15 });
  pace.ended([{ kernel: "linear", units: 1 }], { submittedMs: 11, doneMs: 18 });
  expect(pace.submits).toEqual({ count: 2, longestMs: 5 });
});
