// The self-test of a load: runs every pipeline once on operands with a known result and drops what is wrong. A chunk of its own, as nothing of
// it is needed before the weights are on the GPU.

import { ShaderloomError, throwIfAborted } from "../base/errors.ts";
import { isProduct } from "./classes.ts";
import type { Contest } from "./contest.ts";
import type { KeptRows } from "./kept_rows.ts";
import { readyKernelCheck } from "./kernel_check.ts";
import { ProductBench, type ProductBenchOptions } from "./product_bench.ts";
import { checkCount, readyCheck, type Verdict } from "./product_check.ts";

export interface SelfTestOptions extends ProductBenchOptions {
  readonly kept: KeptRows;
  readonly signal: AbortSignal;
}

/** Checks that are under way together: enough that a slow answer does not hold up the next. */
const checksAtOnce = 8;

export class SelfTest {
  /** For races too; destroyed by whoever made the self-test. */
  readonly bench: ProductBench;
  readonly #options: SelfTestOptions;

  constructor(options: SelfTestOptions) {
    this.#options = options;
    this.bench = new ProductBench(options);
  }

  /**
   * Checks what was chosen in each contest, until that is right. The weights are on the GPU.
   * @throws {ShaderloomError} GPU.selftest when no variant of a kernel is right, GPU.lost, AbortError
   */
  async checkAll(contests: readonly Contest[]): Promise<void> {
    const { signal } = this.#options;
    const products = contests.filter(({ cls }) => isProduct(cls));
    const room = await this.#reserve(products);
    for (let at = 0; at < contests.length; at += checksAtOnce) {
      throwIfAborted(signal);
      const some = contests.slice(at, at + checksAtOnce).filter(({ cls }) => room || !isProduct(cls));
      const checks = some.map((contest) => this.#check(contest));
      // Every check ends before an error of one is told, so that none outlives the load.
      const ended = await Promise.allSettled(checks);
      for (const one of ended) if (one.status === "rejected") throw one.reason;
    }
  }

  /** A GPU without room for a check may have room to run: then nothing is checked. */
  async #reserve(products: readonly Contest[]): Promise<boolean> {
    try {
      await this.bench.reserve(products.map(({ cls }) => ({ cls, count: checkCount(cls) })));
      return true;
    } catch (thrown) {
      if (thrown instanceof ShaderloomError && thrown.code === "GPU.oom") return false;
      throw thrown;
    }
  }

  /** Until a variant is right. */
  async #check(contest: Contest): Promise<void> {
    const { device, ledger, kept } = this.#options;
    for (;;) {
      const compiled = await contest.compileChosen();
      const { cls } = contest;
      const ready = isProduct(cls) ? readyCheck(this.bench, cls, kept) : readyKernelCheck(device, ledger, cls);
      const verdict: Verdict = await ready.run(compiled);
      if (verdict.kind !== "wrong") {
        contest.checked = verdict.kind === "right";
        return;
      }
      contest.drop(compiled.variant, verdict.reason);
    }
  }
}
