// The parts of the bench that go through all kernels, inside a budget of time: what it does not reach is counted, not guessed.

import type { WeightFormat } from "../src/formats/format.ts";
import { allFormats } from "../src/formats/index.ts";
import type { Caps } from "../src/gpu/caps.ts";
import { createPipelineCache } from "../src/gpu/pipelines.ts";
import type { Precision } from "../src/kernels/kernel.ts";
import { shaderFiles } from "../src/testing/shader_files.ts";
import {
  batches,
  type ByRows,
  type ColumnsRow,
  type DispatchRow,
  type LutRow,
  measureColumns,
  measureDispatch,
  measureLut,
  type ProductSpec,
} from "./by_rows.ts";
import { type KernelItem, type KernelRow, measureKernel, planKernels } from "./kernels.ts";
import type { TimingOptions } from "./measure.ts";
import { benchModels, type Phase } from "./model_calls.ts";

/** What of it is measured; everything that is absent is not limited. */
export interface KernelFilter {
  readonly models?: readonly string[];
  readonly types?: readonly string[];
  readonly precisions?: readonly Precision[];
  readonly phases?: readonly Phase[];
  readonly kernels?: readonly string[];
  /** `n x k` of the products of the tables by rows; default those of the models. */
  readonly shapes?: ReadonlyArray<readonly [n: number, k: number]>;
  readonly batches?: readonly number[];
  readonly prefillRows?: number;
  readonly pastTokens?: number;
  /** For all of these sections together. */
  readonly budgetMs?: number;
  readonly timing?: TimingOptions;
}

/** How many measurements a section left out when its time was over. */
export interface Skipped {
  readonly section: string;
  readonly measured: number;
  readonly skipped: number;
}

export interface KernelSections {
  readonly columns?: readonly ColumnsRow[];
  readonly lut?: readonly LutRow[];
  readonly dispatch?: readonly DispatchRow[];
  readonly kernels?: readonly KernelRow[];
  readonly skipped?: readonly Skipped[];
  /** Variants that do not compile or are wrong here. */
  readonly faults?: readonly string[];
}

export interface BenchDevice {
  readonly device: GPUDevice;
  readonly caps: Caps;
  readonly say: (line: string) => void;
  readonly clock: TimingOptions["clock"];
}

/** Types that most files have come first, so that a budget that ends early has measured what matters. */
const firstTypes = ["q4_0", "q4_k", "q8_0", "q6_k", "f16"];
/** Types of the tables by rows, unless some are named. */
const fewTypes: readonly string[] = ["q4_0", "q4_k", "q8_0"];
/** Parts of the budget: a section may take as much of what is left as its part is of those to come. */
const shares = { columns: 1, lut: 1, dispatch: 3, kernels: 5 };
type TimedSection = keyof typeof shares;

/** Measurements that may fail one after another before a section ends. */
const mostFailures = 3;

const defaultBudgetMs = 480_000;

interface Run extends BenchDevice {
  readonly sections: readonly string[];
  readonly filter: KernelFilter;
  readonly formats: readonly WeightFormat[];
  readonly precisions: readonly Precision[];
  readonly models: readonly string[];
  readonly byRows: ByRows;
  readonly end: number;
  readonly skipped: Skipped[];
  readonly faults: Set<string>;
}

function rank({ name }: WeightFormat): number {
  return firstTypes.includes(name) ? firstTypes.indexOf(name) : firstTypes.length;
}

async function chooseFormats(names: readonly string[] | undefined): Promise<WeightFormat[]> {
  const all = await allFormats();
  const unknown = names?.find((name) => !all.some((format) => format.name === name));
  if (unknown !== undefined) throw new Error(`no weight type ${unknown}: ${all.map(({ name }) => name).join(", ")}`);
  return all.filter(({ name }) => names?.includes(name) ?? true).toSorted((a, b) => rank(a) - rank(b));
}

/** What a section may take of the time that is left, when those before it are done. */
export function shareOf(section: TimedSection, asked: readonly string[]): number {
  const names = Object.keys(shares) as TimedSection[];
  const coming = names.slice(names.indexOf(section)).filter((name) => asked.includes(name));
  return shares[section] / coming.reduce((sum, name) => sum + shares[name], 0);
}

/** Goes through `items` until the section's share of the time is over. */
async function each<I, R>(
  run: Run,
  section: TimedSection,
  { items, measure }: { items: readonly I[]; measure: (item: I) => Promise<R | undefined> },
): Promise<R[]> {
  const start = performance.now();
  const until = start + (run.end - start) * shareOf(section, run.sections);
  const found: R[] = [];
  let [index, said, failures] = [0, start, 0];
  for (; index < items.length && performance.now() < until; index++) {
    const now = performance.now();
    if (now - said > 5000) {
      run.say(`${section} ${index} of ${items.length}, ${((now - start) / 1000).toFixed(0)} of ${((until - start) / 1000).toFixed(0)} s`);
      said = now;
    }
    try {
      const row = await measure(items[index]);
      if (row !== undefined) found.push(row);
      failures = 0;
    } catch (error) {
      // A matrix may be too large for an adapter; one after another means that the device is gone.
      run.faults.add(`${section}, measurement ${index + 1}: ${error instanceof Error ? error.message : String(error)}`);
      failures += 1;
      if (failures === mostFailures) break;
    }
  }
  run.skipped.push({ section, measured: index, skipped: items.length - index });
  return found;
}

/** Shapes of the models' products, largest first: the small ones say least about an adapter. */
function productShapes({ filter, models, caps, formats }: Run): Array<readonly [n: number, k: number]> {
  if (filter.shapes) return [...filter.shapes];
  const plan = {
    models,
    formats: formats.slice(0, 1),
    precisions: ["f32"],
    phases: ["prefill"],
    prefillRows: 2,
    pastTokens: 0,
    kernels: ["linear"],
  };
  const items: KernelItem[] = planKernels({ caps }, { ...plan, precisions: ["f32"], phases: ["prefill"] });
  const shapes = items
    .filter(({ call }) => call.inputs[0].rows === "rows")
    .map(({ call }) => [call.weights[0].rows, call.weights[0].cols] as const);
  return shapes.toSorted(([n, k], [otherN, otherK]) => otherN * otherK - n * k);
}

function productSpecs(run: Run, types: readonly string[] | undefined, shapes: ReadonlyArray<readonly [number, number]>): ProductSpec[] {
  const formats = run.formats.filter(({ name }) => types?.includes(name) ?? true);
  return formats.flatMap((format) =>
    shapes
      .filter(([, k]) => k % format.blockSize === 0)
      .flatMap(([n, k]) => run.precisions.map((precision) => ({ format, n, k, precision }))),
  );
}

async function measureByRows(run: Run): Promise<KernelSections> {
  const { filter, byRows, sections } = run;
  const types = filter.types ?? fewTypes;
  const square: ReadonlyArray<readonly [number, number]> = filter.shapes ?? [[4096, 4096]];
  const columns = sections.includes("columns")
    ? await each(run, "columns", {
        items: productSpecs(
          run,
          types,
          filter.shapes ?? [
            [4096, 4096],
            [2048, 2048],
          ],
        ),
        measure: (spec) => measureColumns(byRows, spec),
      })
    : undefined;
  const lut = sections.includes("lut")
    ? await each(run, "lut", {
        items: productSpecs(run, filter.types, square).filter(
          ({ format, precision }) => format.codeBits !== undefined && precision !== "int8",
        ),
        measure: (spec) => measureLut(byRows, spec),
      })
    : undefined;
  let dispatch: DispatchRow[] | undefined;
  if (sections.includes("dispatch")) {
    const specs = productSpecs(run, types, productShapes(run));
    const items = specs.flatMap((spec) => (filter.batches ?? batches).map((rows) => ({ spec, rows })));
    dispatch = await each(run, "dispatch", { items, measure: ({ spec, rows }) => measureDispatch(byRows, spec, rows) });
    for (const { faults } of dispatch) for (const fault of faults) run.faults.add(fault);
  }
  return { ...(columns && { columns }), ...(lut && { lut }), ...(dispatch && { dispatch }) };
}

async function measureKernels(run: Run): Promise<KernelRow[]> {
  const { filter, caps, models, formats, precisions, byRows } = run;
  const { phases = ["decode", "prefill"], prefillRows = 256, pastTokens = 1024, kernels } = filter;
  const items = planKernels({ caps }, { models, formats, precisions, phases, prefillRows, pastTokens, ...(kernels && { kernels }) });
  const rows = await each(run, "kernels", { items, measure: (item) => measureKernel(byRows.arena, item, { timing: byRows.timing }) });
  for (const { variants } of rows) {
    for (const { key, fault } of variants) if (fault !== undefined) run.faults.add(`${key}: ${fault}`);
  }
  return rows;
}

export async function measureKernelSections(
  bench: BenchDevice,
  sections: readonly string[],
  filter: KernelFilter = {},
): Promise<KernelSections> {
  if (!sections.some((section) => section in shares)) return {};
  const { device, caps } = bench;
  const timing = { leastMs: caps.software ? 30 : 12, rounds: 3, ...filter.timing, clock: bench.clock };
  const precisions = filter.precisions ?? (["f32", "f16", "int8"] as const);
  const run: Run = {
    ...bench,
    sections,
    filter,
    formats: await chooseFormats(filter.types),
    precisions: precisions.filter((precision) => precision !== "f16" || caps.f16),
    models: filter.models ?? Object.keys(benchModels),
    byRows: { arena: { device, pipelines: createPipelineCache(device, shaderFiles) }, caps, timing },
    end: performance.now() + (filter.budgetMs ?? defaultBudgetMs),
    skipped: [],
    faults: new Set(),
  };
  const tables = await measureByRows(run);
  const kernels = sections.includes("kernels") ? await measureKernels(run) : undefined;
  return { ...tables, ...(kernels && { kernels }), skipped: run.skipped, faults: [...run.faults] };
}
