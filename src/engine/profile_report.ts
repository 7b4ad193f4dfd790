// What a profile says, and how it reads: a table of plain text and a trace for chrome://tracing or Perfetto. Pure; profile.ts measures.

import type { Precision } from "../kernels/kernel.ts";

/** What to profile. */
export interface ProfileOptions {
  /** Tokens in the context of the decode step, its own included; default 256, or the whole context where that is less. */
  readonly tokens?: number | undefined;
  /** Rows of the prefill step; default and at most 256, or the whole context where that is less. */
  readonly promptTokens?: number | undefined;
  /** Ends it between two submits. */
  readonly signal?: AbortSignal | undefined;
}

/** One dispatch of a step. */
export interface ProfiledDispatch {
  /** What it makes: `blk.3.ffn_down`. */
  readonly name: string;
  readonly kernel: string;
  readonly variant: string;
  /** Of one run of it, by itself in a pass. */
  readonly ms: number;
  /** Bytes that it cannot do without reading or writing, each once; activations count as f32. */
  readonly bytes: number;
  /** Multiply-adds. */
  readonly macs: number;
  /** Its bytes a second over those of a kernel that only copies; above 1 where a cache held what it read, or the copy was disturbed. */
  readonly bandwidthShare: number;
  /** Its multiply-adds a second over those of a kernel that only multiplies. */
  readonly computeShare: number;
}

/** One step of a program. */
export interface ProfiledStep {
  readonly phase: "prefill" | "decode";
  readonly rows: number;
  readonly contextTokens: number;
  /** Of the step as it runs: all dispatches in one pass. */
  readonly totalMs: number;
  /** JavaScript of encoding it once more, as a loop does that has nothing else to do. */
  readonly encodeMs: number;
  /** In the order in which they run. */
  readonly dispatches: readonly ProfiledDispatch[];
}

/** Where a model's time goes on this adapter. Plain data. */
export interface Profile {
  readonly adapter: {
    readonly vendor: string;
    readonly architecture: string;
    readonly description: string;
    readonly deviceClass: "gpu" | "cpu";
    readonly f16: boolean;
  };
  readonly activations: Precision;
  /** Whether the GPU's own timestamps were used; else the wall clock, which times equal dispatches of all layers together. */
  readonly timestamps: boolean;
  /** The step in which the clock counts: browsers round timestamps to about 0.1. Each dispatch was repeated until it took ten of them. */
  readonly quantumMs: number;
  /** Read and written, by a kernel that only copies. */
  readonly copyBytesPerSecond: number;
  /** Multiply-adds from registers: of packed bytes with `int8` activations, else of f32. */
  readonly macsPerSecond: number;
  readonly steps: readonly ProfiledStep[];
  /** All of this to read. */
  readonly table: string;
  /** All of this as Chrome's trace format, dispatches end to end. */
  readonly trace: ChromeTrace;
}

export type ProfileFacts = Omit<Profile, "table" | "trace">;

/** https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: complete and metadata events. */
export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly TraceEvent[];
}

/** `ts` and `dur` in microseconds. */
export type TraceEvent =
  | {
      readonly ph: "X";
      readonly name: string;
      readonly cat: string;
      readonly ts: number;
      readonly dur: number;
      readonly pid: number;
      readonly tid: number;
      readonly args: Readonly<Record<string, string | number>>;
    }
  | {
      readonly ph: "M";
      readonly name: "process_name" | "thread_name";
      readonly pid: number;
      readonly tid: number;
      readonly args: { readonly name: string };
    };

const pid = 1;

/** A process for the adapter, a thread for each step. */
export function traceOf({ adapter, steps }: ProfileFacts): ChromeTrace {
  const events: TraceEvent[] = [{ ph: "M", name: "process_name", pid, tid: 0, args: { name: adapterName(adapter) } }];
  let begin = 0;
  for (const [index, { phase, rows, contextTokens, dispatches }] of steps.entries()) {
    const tid = index + 1;
    events.push({ ph: "M", name: "thread_name", pid, tid, args: { name: `${phase}: ${rows} rows, ${contextTokens} tokens` } });
    for (const { name, kernel, variant, ms, bytes, macs, bandwidthShare, computeShare } of dispatches) {
      const dur = ms * 1000;
      const args = { variant, bytes, macs, bandwidthShare, computeShare };
      events.push({ ph: "X", name, cat: kernel, ts: begin, dur, pid, tid, args });
      begin += dur;
    }
  }
  return { displayTimeUnit: "ms", traceEvents: events };
}

function adapterName({ vendor, architecture, description, deviceClass }: Profile["adapter"]): string {
  const name = [vendor, architecture, description].filter((part) => part !== "").join(" ");
  return `${name === "" ? "an unnamed adapter" : name} (${deviceClass})`;
}

interface Line {
  readonly label: readonly string[];
  readonly ms: number;
  readonly bytes: number;
  readonly macs: number;
}

/** Columns aligned, the first `left` of them to the left. */
function align(rows: readonly (readonly string[])[], left: number): string[] {
  const widths = rows[0].map((_, col) => Math.max(...rows.map((row) => row[col].length)));
  return rows.map((row) =>
    row
      .map((text, col) => (col < left ? text.padEnd(widths[col]) : text.padStart(widths[col])))
      .join("  ")
      .trimEnd(),
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)}%`;
}

function tableOfLines(
  head: readonly string[],
  lines: readonly Line[],
  { facts, totalMs }: { facts: ProfileFacts; totalMs: number },
): string[] {
  const rows = lines
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ label, ms, bytes, macs }) => {
      const [bytesPerSecond, macsPerSecond] = [bytes, macs].map((amount) => (ms > 0 ? (amount * 1000) / ms : 0));
      const rates = [(bytesPerSecond / 1e9).toFixed(2), percent(bytesPerSecond / facts.copyBytesPerSecond)];
      rates.push((macsPerSecond / 1e9).toFixed(2), percent(macsPerSecond / facts.macsPerSecond));
      return [...label, ms.toFixed(4), percent(ms / totalMs), ...rates];
    });
  return align([[...head, "ms", "of sum", "GB/s", "of copy", "GMAC/s", "of peak"], ...rows], 2);
}

function stepTable(step: ProfiledStep, facts: ProfileFacts): string[] {
  const { phase, rows, contextTokens, totalMs, encodeMs, dispatches } = step;
  const sumMs = dispatches.reduce((sum, { ms }) => sum + ms, 0);
  const kernels = new Map<string, Line & { readonly count: number }>();
  for (const { kernel, variant, ms, bytes, macs } of dispatches) {
    const key = `${kernel} ${variant}`;
    const known = kernels.get(key) ?? { count: 0, ms: 0, bytes: 0, macs: 0 };
    const count = known.count + 1;
    const label = [kernel, variant, String(count)];
    kernels.set(key, { label, count, ms: known.ms + ms, bytes: known.bytes + bytes, macs: known.macs + macs });
  }
  const each = dispatches.map(({ name, variant, ms, bytes, macs }) => ({ label: [name, variant], ms, bytes, macs }));
  const of = { facts, totalMs: sumMs };
  return [
    `${phase} of ${rows} ${rows === 1 ? "row" : "rows"}, ${contextTokens} tokens of context: ${totalMs.toFixed(3)} ms as it runs, ` +
      `${sumMs.toFixed(3)} ms as the sum of ${dispatches.length} dispatches by themselves, ` +
      `${encodeMs.toFixed(3)} ms of JavaScript to encode`,
    "",
    ...tableOfLines(["kernel", "variant", "count"], [...kernels.values()], of),
    "",
    ...tableOfLines(["dispatch", "variant"], each, of),
    "",
  ];
}

function beyondMeasure({ bandwidthShare, computeShare }: ProfiledDispatch): boolean {
  return Math.max(bandwidthShare, computeShare) > 1;
}

const beyondNote =
  "Shares of more than 100 %: what was read lay in a cache, halves outran the f32 that they are measured by, or something else slowed the adapter down " +
  "while the copy or the multiply-adds were measured, just before. Compare dispatches with one another then, or profile again.";

/** @returns lines joined by newlines: a head, then for each step the totals by kernel and all dispatches, longest first */
export function tableOf(facts: ProfileFacts): string {
  const { adapter, activations, timestamps, quantumMs, copyBytesPerSecond, macsPerSecond, steps } = facts;
  const clock = timestamps
    ? `GPU timestamps, which count in steps of ${formatMs(quantumMs)} ms here. Each dispatch was repeated in a pass of its own until it took ten steps, so ` +
      "its time is right to about 10 %; repeats rotate over the layers where they can, yet a cache may hold what a small model reads."
    : `The wall clock, which counts in steps of ${formatMs(quantumMs)} ms here, as this device gives no timestamps. Equal dispatches of all layers were ` +
      "repeated together in one submit and have one time.";
  return [
    `${adapterName(adapter)}, activations ${activations}`,
    `copy ${(copyBytesPerSecond / 1e9).toFixed(2)} GB/s, multiply-adds from registers ${(macsPerSecond / 1e9).toFixed(2)} GMAC/s ` +
      `(${activations === "int8" ? "packed bytes" : "f32"})`,
    clock,
    ...(steps.some(({ dispatches }) => dispatches.some(beyondMeasure)) ? [beyondNote] : []),
    "",
    ...steps.flatMap((step) => stepTable(step, facts)),
  ].join("\n");
}

function formatMs(ms: number): string {
  return String(Number(ms.toPrecision(3)));
}
