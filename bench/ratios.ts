// Our products against reference kernels on the same weights in the same page, taking turns: what a speed claim of this project is.

import { assert } from "../src/base/errors.ts";
import type { Caps } from "../src/gpu/caps.ts";
import type { Precision, Variant } from "../src/kernels/kernel.ts";
import { timeRounds, timeWorks, type TimingOptions } from "./measure.ts";
import { type Product, Products, type ReferenceKernel } from "./products.ts";
import { median } from "./statistics.ts";
import naiveShader from "./reference/gemm_naive.wgsl?raw";
import tiledShader from "./reference/gemm_tiled.wgsl?raw";
import treeShader from "./reference/matvec_tree.wgsl?raw";

export interface ProductTime {
  /** What was multiplied: `matvec 4096 x 4096`. */
  readonly product: string;
  /** Key of the variant, or name of the reference. */
  readonly name: string;
  /** Median. */
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
  /** Time of the reference over ours in the same round, median of the rounds. */
  readonly ratio: number;
  /** What it must be on this adapter, if anything was promised. */
  readonly goal?: number;
}

export interface RatiosResult {
  readonly times: readonly ProductTime[];
  readonly ratios: readonly Ratio[];
}

type RatioName = "packed dot" | "f32" | "repacked" | "gemm";

/** Promised on the two software adapters, which everybody has. */
const goals: ReadonlyArray<{ readonly adapter: RegExp; readonly least: Readonly<Record<RatioName, number>> }> = [
  { adapter: /swiftshader/i, least: { "packed dot": 5, f32: 3, repacked: 1.2, gemm: 1.35 } },
  { adapter: /lavapipe|llvmpipe/i, least: { "packed dot": 3.5, f32: 1.4, repacked: 1.2, gemm: 1.35 } },
];

const bounds: Readonly<Record<Precision, number>> = { f32: 1e-6, f16: 5e-4, int8: 5e-4 };

/** The race only has to find the fastest. */
const raceTiming: TimingOptions = { leastMs: 40, rounds: 3 };
const finalTiming: TimingOptions = { leastMs: 100, rounds: 7 };

/** One product's contest. */
interface Contest {
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

/** The fastest variant of a precision. */
async function race(contest: Contest, precision: Precision): Promise<{ variant: Variant; product: Product }> {
  const { device, products, times, label } = contest;
  const variants = products.variants(precision);
  assert(variants.length > 0, `linear has no ${precision} variant here`);
  const rivals: Product[] = [];
  for (const variant of variants) rivals.push(await products.make(variant));
  const works = rivals.map(({ work }) => work);
  const found = await timeWorks(device, works, raceTiming);
  for (const [index, product] of rivals.entries()) {
    const nmse = await checked(contest, product, bounds[precision]);
    times.push({ product: label, name: product.name, ms: found[index], nmse, race: true });
  }
  const best = found.indexOf(Math.min(...found));
  return { variant: variants[best], product: rivals[best] };
}

/** Times the finalists in turns, each one against the reference it is paired with. */
async function final(
  contest: Contest,
  pairs: ReadonlyArray<{ name: RatioName | "gemm, naive"; ours: Product; reference: Product; bound: number }>,
): Promise<Ratio[]> {
  const { device, label, times } = contest;
  const all = [...new Set(pairs.flatMap(({ ours, reference }) => [ours, reference]))];
  const works = all.map(({ work }) => work);
  const rounds = new Map((await timeRounds(device, works, finalTiming)).map((one, index) => [all[index], one]));
  for (const product of all) {
    const bound = pairs.find(({ ours }) => ours === product)?.bound ?? bounds.f32;
    times.push({ product: label, name: product.name, ms: median(rounds.get(product) ?? []), nmse: await checked(contest, product, bound) });
  }
  return pairs.map(({ name, ours, reference }) => {
    const [mine, theirs] = [rounds.get(ours) ?? [], rounds.get(reference) ?? []];
    const ratio = median(mine.map((ms, round) => theirs[round] / ms));
    return { name: `${label}, ${name}`, ours: ours.name, reference: reference.name, ratio };
  });
}

async function matvecRatios(contest: Contest): Promise<Ratio[]> {
  const { products } = contest;
  const { n, k } = products.shape;
  const treeThreads = 64;
  const tree: ReferenceKernel = { name: "matvec_tree", code: treeShader, consts: { WG: treeThreads, K: k }, grid: [n, 1, 1] };
  const reference = await products.makeReference(tree);
  const f32 = await race(contest, "f32");
  const int8 = await race(contest, "int8");
  const twin = products.unrepacked(f32.variant);
  assert(twin, `${f32.variant.key} has no form for the file's layout`);
  const unrepacked = await products.make(twin, "file");
  return final(contest, [
    { name: "packed dot", ours: int8.product, reference, bound: bounds.int8 },
    { name: "f32", ours: f32.product, reference, bound: bounds.f32 },
    { name: "repacked", ours: f32.product, reference: unrepacked, bound: bounds.f32 },
  ]);
}

async function gemmRatios(contest: Contest): Promise<Ratio[]> {
  const { products } = contest;
  const { rows, n, k } = products.shape;
  const form = (name: string, code: string): ReferenceKernel => ({ name, code, consts: { K: k, N: n }, grid: [n / 16, rows / 16, 1] });
  const tiled = await products.makeReference(form("gemm_tiled", tiledShader));
  const naive = await products.makeReference(form("gemm_naive", naiveShader));
  const { product: ours } = await race(contest, "f32");
  return final(contest, [
    { name: "gemm", ours, reference: tiled, bound: bounds.f32 },
    { name: "gemm, naive", ours, reference: naive, bound: bounds.f32 },
  ]);
}

/** @throws when a product is wrong */
export async function measureRatios(device: GPUDevice, caps: Caps): Promise<RatiosResult> {
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
      for (const ratio of await run({ label, device, products, times })) {
        const goal = least && Object.entries(least).find(([name]) => ratio.name === `${label}, ${name}`)?.[1];
        ratios.push(goal === undefined ? ratio : { ...ratio, goal });
      }
    } finally {
      products.destroy();
    }
  }
  return { times, ratios };
}
