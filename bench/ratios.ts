// Our products against reference kernels on the same weights in the same page, taking turns: what a speed claim of this project is.

import { assert } from "../src/base/errors.ts";
import { BufferLedger } from "../src/gpu/buffers.ts";
import type { Caps } from "../src/gpu/caps.ts";
import type { Precision } from "../src/kernels/kernel.ts";
import { openClock } from "../src/tuning/clock.ts";
import { race as raceVariants, type Sample } from "../src/tuning/race.ts";
import { timeRounds, type TimingOptions } from "./measure.ts";
import { type Layout, type Product, Products, type ReferenceKernel } from "./products.ts";
import { measureSoftmax } from "./softmax.ts";
import { median } from "./statistics.ts";
import naiveShader from "./reference/gemm_naive.wgsl?raw";
import tiledShader from "./reference/gemm_tiled.wgsl?raw";
import treeShader from "./reference/matvec_tree.wgsl?raw";

export interface ProductTime {
  /** What was multiplied: `matvec 4096 x 4096`. */
  readonly product: string;
  /** Key of the variant, or name of the reference. */
  readonly name: string;
  /** Of the fastest round. */
  readonly ms: number;
  /** Of its result, against float64. */
  readonly nmse: number;
  /** In the race, where only the fastest of a class went on to the end. */
  readonly race?: true;
}

export interface Ratio {
  readonly name: string;
  readonly ours: string;
  readonly reference: string;
  /** Fastest round of the reference over ours: whatever else runs on the machine only adds. */
  readonly ratio: number;
  /** Median over the rounds of the ratio within each. */
  readonly medianRatio: number;
  /** What it must be on this adapter, if anything was promised. */
  readonly goal?: number;
}

export interface RatiosResult {
  readonly times: readonly ProductTime[];
  readonly ratios: readonly Ratio[];
}

/** Promised on the two software adapters, which everybody has. */
const goals: ReadonlyArray<{ readonly adapter: RegExp; readonly least: Readonly<Record<string, number>> }> = [
  { adapter: /swiftshader/i, least: { "packed dot": 5, f32: 3, "repacked, f32": 1.2, "repacked, int8": 1.2, gemm: 1.35 } },
  { adapter: /lavapipe|llvmpipe/i, least: { "packed dot": 3.5, f32: 1.4, "repacked, f32": 1.2, "repacked, int8": 1.2, gemm: 1.35 } },
];

/** What a tuned program may lose to the default one, on any adapter: times of one kernel differ by as much from run to run. */
const tunedGoal = 0.95;

const bounds: Readonly<Record<Precision, number>> = { f32: 1e-6, f16: 5e-4, int8: 5e-4 };

/** The race only has to find the fastest. */
const raceTiming: TimingOptions = { leastMs: 40, rounds: 5 };
const finalTiming: TimingOptions = { leastMs: 100, rounds: 9 };

/** As the engine's: half of the time of all races of a load, and the most variants of one. */
const tuneMs = { gpu: 150, cpu: 1000 };
const mostRivals = 8;

/** One product's contest. */
interface Contest {
  readonly clock: TimingOptions["clock"];
  readonly software: boolean;
  readonly label: string;
  readonly device: GPUDevice;
  readonly products: Products;
  readonly times: ProductTime[];
}

/** @throws when a result is wrong: its time is worth nothing */
async function checked({ products, label }: Contest, product: Product, bound: number): Promise<number> {
  const nmse = await products.nmse(product);
  assert(nmse <= bound, `${label}: ${product.name} is wrong, NMSE ${nmse}`);
  return nmse;
}

/** What races found: the fastest of all, the first, what the engine's own race takes, and the fastest that multiplies bytes. */
interface Raced {
  readonly best: Product;
  readonly first: Product;
  readonly tuned: Product;
  readonly packed: Product | undefined;
}

/** Times all variants of a precision over weights in a layout. */
async function race(contest: Contest, precision: Precision, layout: Layout = "repacked"): Promise<Raced> {
  const { device, products, times, label, clock } = contest;
  const variants = products.variants(precision, layout);
  assert(variants.length > 0, `linear has no ${precision} variant here`);
  const rivals: Product[] = [];
  for (const variant of variants) rivals.push(await products.make(variant, layout));
  const works = rivals.map(({ work }) => work);
  const found = (await timeRounds(device, works, { ...raceTiming, clock })).map((one) => Math.min(...one));
  for (const [index, product] of rivals.entries()) {
    const nmse = await checked(contest, product, bounds[precision]);
    times.push({ product: label, name: product.name, ms: found[index], nmse, race: true });
  }
  const sorted = rivals.toSorted((a, b) => found[rivals.indexOf(a)] - found[rivals.indexOf(b)]);
  const tuned = await tune(contest, rivals);
  return { best: sorted[0], first: rivals[0], tuned, packed: sorted.find(({ name }) => name.includes("int8_packed")) };
}

/** The engine's race at a first load, in the time that the largest class of products gets there. */
async function tune({ device, software }: Contest, all: readonly Product[]): Promise<Product> {
  const rivals = all.slice(0, mostRivals);
  const ledger = new BufferLedger(device);
  const clock = await openClock(device, ledger);
  try {
    const sample: Sample = (active, repeats) =>
      clock.time(
        active.map((rival) => (pass: GPUComputePassEncoder) => {
          for (let repetition = 0; repetition < repeats; repetition++) rivals[rival].work(pass, repetition);
        }),
      );
    const budgetMs = software ? tuneMs.cpu : tuneMs.gpu;
    const result = await raceVariants(sample, rivals.length, { budgetMs, sampleMs: clock.sampleMs });
    return rivals[result?.winner ?? 0];
  } finally {
    clock.destroy();
    ledger.destroyAll();
  }
}

/** A finalist and what it is compared with. */
interface Pair {
  readonly name: string;
  readonly ours: Product;
  readonly reference: Product;
  readonly bound: number;
}

/** Times the finalists in turns, each one against the reference it is paired with. */
async function final(contest: Contest, pairs: readonly Pair[]): Promise<Ratio[]> {
  const { device, label, times, clock } = contest;
  const all = [...new Set(pairs.flatMap(({ ours, reference }) => [ours, reference]))];
  const works = all.map(({ work }) => work);
  const rounds = new Map((await timeRounds(device, works, { ...finalTiming, clock })).map((one, index) => [all[index], one]));
  for (const product of all) {
    const bound = Math.max(...pairs.filter(({ ours, reference }) => ours === product || reference === product).map((pair) => pair.bound));
    times.push({
      product: label,
      name: product.name,
      ms: Math.min(...(rounds.get(product) ?? [])),
      nmse: await checked(contest, product, bound),
    });
  }
  return pairs.map(({ name, ours, reference }) => {
    const [mine, theirs] = [rounds.get(ours) ?? [], rounds.get(reference) ?? []];
    const medianRatio = median(mine.map((ms, round) => theirs[round] / ms));
    const ratio = Math.min(...theirs) / Math.min(...mine);
    return { name: `${label}, ${name}`, ours: ours.name, reference: reference.name, ratio, medianRatio };
  });
}

async function matvecRatios(contest: Contest): Promise<Ratio[]> {
  const { products } = contest;
  const { n, k } = products.shape;
  const treeThreads = 64;
  const tree: ReferenceKernel = { name: "matvec_tree", code: treeShader, consts: { WG: treeThreads, K: k }, grid: [n, 1, 1] };
  const reference = await products.makeReference(tree);
  const pairs: Pair[] = [];
  for (const precision of ["f32", "int8"] as const) {
    const bound = bounds[precision];
    const { best, first, packed, tuned } = await race(contest, precision);
    const words = await race(contest, precision, "words");
    const unrepacked = await race(contest, precision, "file");
    pairs.push({ name: precision, ours: best, reference, bound });
    if (packed) pairs.push({ name: "packed dot", ours: packed, reference, bound });
    pairs.push({ name: `repacked, ${precision}`, ours: best, reference: words.best, bound });
    pairs.push({ name: `repacked, against the best reading, ${precision}`, ours: best, reference: unrepacked.best, bound });
    pairs.push({ name: `tuned against default, ${precision}`, ours: tuned, reference: first, bound });
  }
  return final(contest, pairs);
}

async function gemmRatios(contest: Contest): Promise<Ratio[]> {
  const { products } = contest;
  const { rows, n, k } = products.shape;
  const form = (name: string, code: string, tile: number): ReferenceKernel => {
    return { name, code, consts: { K: k, N: n }, grid: [n / tile, rows / tile, 1] };
  };
  const tiled = await products.makeReference(form("gemm_tiled", tiledShader, 32));
  const naive = await products.makeReference(form("gemm_naive", naiveShader, 16));
  const { best, first, tuned } = await race(contest, "f32");
  return final(contest, [
    { name: "gemm", ours: best, reference: tiled, bound: bounds.f32 },
    { name: "gemm, naive", ours: best, reference: naive, bound: bounds.f32 },
    { name: "tuned against default, gemm", ours: tuned, reference: first, bound: bounds.f32 },
  ]);
}

/** @throws when a product is wrong */
export async function measureRatios(device: GPUDevice, caps: Caps, { clock }: Pick<TimingOptions, "clock"> = {}): Promise<RatiosResult> {
  const times: ProductTime[] = [];
  const ratios: Ratio[] = [];
  const least = goals.find(({ adapter }) => adapter.test(`${caps.architecture} ${caps.description}`))?.least;
  const contests = [
    { label: "matvec 4096 x 4096", shape: { rows: 1, n: 4096, k: 4096 }, run: matvecRatios },
    { label: "product 512 x 512 x 512", shape: { rows: 512, n: 512, k: 512 }, run: gemmRatios },
  ];
  for (const { label, shape, run } of contests) {
    const products = new Products(device, caps, shape);
    try {
      for (const ratio of await run({ clock, label, device, software: caps.software, products, times })) {
        const name = ratio.name.slice(label.length + 2);
        const goal = name.startsWith("tuned") ? tunedGoal : least?.[name];
        ratios.push(goal === undefined ? ratio : { ...ratio, goal });
      }
    } finally {
      products.destroy();
    }
  }
  const softmax = await measureSoftmax(device, { ...finalTiming, clock });
  return { times: [...times, ...softmax.times], ratios: [...ratios, ...softmax.ratios] };
}
