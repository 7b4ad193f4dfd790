// One class on its way to its variant: what was dropped and why, what compiled, what runs in the end. Bookkeeping; others check and time.

import { ShaderloomError } from "../base/errors.ts";
import type { PipelineCache } from "../gpu/pipelines.ts";
import type { Variant } from "../kernels/kernel.ts";
import { type KernelClass, requestOf } from "./classes.ts";
import type { Compiled } from "./product_bench.ts";

/** Why a class runs what it runs. `fallback`: what was chosen first was dropped. */
export type How = "default" | "raced" | "stored" | "fallback";

export interface Dropped {
  readonly kernel: string;
  readonly variant: string;
  /** The class in which it failed. */
  readonly class: string;
  readonly reason: string;
}

/** Whether a variant needs nothing exotic: such ones are tried first when the default fails. */
function isPlain({ header }: Variant): boolean {
  return header.enables?.includes("subgroups") !== true;
}

/** Names a variant of a class in records. */
export function trialName(cls: Pick<KernelClass, "key">, variant: string): string {
  return `${variant} in ${cls.key}`;
}

/** What is written down before a variant runs: nothing for the default, which runs whatever happens. */
export function trialsOf(cls: Pick<KernelClass, "key" | "variants">, variant: Variant): readonly string[] {
  return variant === cls.variants[0] ? [] : [trialName(cls, variant.key)];
}

export class Contest {
  readonly cls: KernelClass;
  readonly #pipelines: PipelineCache;
  readonly #dropped = new Map<Variant, string>();
  readonly #compiled = new Map<Variant, Promise<Compiled | undefined>>();
  #chosen: Variant;
  how: How = "default";
  /** Milliseconds of one dispatch by variant key, where timed. */
  readonly measured: Map<string, number> = new Map();
  checked = false;
  /** What a race of it is worth, of all that matters. */
  share = 0;
  /** Whether its rivals were compiled for a race. */
  entered = false;

  constructor(cls: KernelClass, pipelines: PipelineCache) {
    this.cls = cls;
    this.#pipelines = pipelines;
    const [first] = cls.variants;
    if (!first) throw noneLeft(cls, []);
    this.#chosen = first;
  }

  get chosen(): Variant {
    return this.#chosen;
  }

  get dropped(): Dropped[] {
    const { kernel, key } = this.cls;
    return [...this.#dropped].map(([variant, reason]) => ({ kernel, variant: variant.key, class: key, reason }));
  }

  isDropped(variant: Variant): boolean {
    return this.#dropped.has(variant);
  }

  choose(variant: Variant, how: How): void {
    this.#chosen = variant;
    this.how = how;
  }

  /**
   * Takes a variant out; when it was the chosen one, the next takes its place, plain ones first.
   * @throws {ShaderloomError} GPU.selftest when none is left
   */
  drop(variant: Variant, reason: string): void {
    this.#dropped.set(variant, reason);
    if (variant !== this.#chosen) return;
    const left = this.cls.variants.filter((one) => !this.#dropped.has(one));
    const next = left.find((one) => isPlain(one)) ?? left[0];
    if (!next) throw noneLeft(this.cls, this.dropped);
    this.choose(next, "fallback");
    this.checked = false;
  }

  /** Whether `compile` was asked for it. */
  isCompiling(variant: Variant): boolean {
    return this.#compiled.has(variant);
  }

  /** Compiles a variant, once; one that does not compile is dropped and gives undefined. */
  compile(variant: Variant): Promise<Compiled | undefined> {
    let compiled = this.#compiled.get(variant);
    if (!compiled) {
      compiled = this.#compile(variant);
      this.#compiled.set(variant, compiled);
    }
    return compiled;
  }

  /**
   * Compiles what is chosen, and what takes its place until one compiles.
   * @throws {ShaderloomError} GPU.selftest when none does
   */
  async compileChosen(): Promise<Compiled> {
    for (;;) {
      const compiled = await this.compile(this.#chosen);
      if (compiled) return compiled;
    }
  }

  async #compile(variant: Variant): Promise<Compiled | undefined> {
    try {
      return { variant, pipeline: await this.#pipelines.get(requestOf(this.cls, variant)) };
    } catch (thrown) {
      if (!(thrown instanceof ShaderloomError) || thrown.code !== "GPU.shader") throw thrown;
      this.drop(variant, thrown.message);
      return undefined;
    }
  }
}

function noneLeft(cls: KernelClass, dropped: readonly Dropped[]): ShaderloomError {
  const reasons = dropped.map(({ variant, reason }) => `${variant}: ${reason}`);
  return new ShaderloomError(
    "GPU.selftest",
    `No variant of the kernel ${cls.kernel} works on this GPU (${reasons.join("; ") || "none suits it"}). Please report the adapter, and try another browser.`,
    { detail: { kernel: cls.kernel, reasons } },
  );
}
