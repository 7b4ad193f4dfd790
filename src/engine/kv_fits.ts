// What of the `kv` options only a model's header can refuse. A chunk of its own, because few say anything of keys and values.

import { ShaderloomError } from "../base/errors.ts";
import type { KvOptions } from "./kv_options.ts";

/** Bytes are those of all layers. */
interface KvNeeds {
  readonly contextLength: number;
  readonly pageTokens: number;
  readonly groupBytes: number;
  readonly tailBytes: number;
}

/**
 * What only the model's header tells.
 * @param needs  `groupBytes`: of a page in all layers; `tailBytes`: of what is not yet a page, in all layers
 * @throws {ShaderloomError} REQUEST.kv
 */
export function checkKvFits({ evict, budget }: KvOptions, { contextLength, pageTokens, groupBytes, tailBytes }: KvNeeds): void {
  if (evict && evict.keep > contextLength) {
    throw kvError(
      `kv.evict.keep is ${evict.keep} and the context ${contextLength} tokens. Keep at most ${contextLength}, or set a larger contextLength.`,
      { param: "kv.evict.keep", have: evict.keep, max: contextLength },
    );
  }
  const least = groupBytes + tailBytes;
  if (budget !== undefined && budget < least) {
    throw kvError(
      `kv.budget is ${budget} bytes and one page takes ${least} in all layers. Set it to ${least} or more, choose a smaller kv.type or kv.pageTokens, or leave it out.`,
      { param: "kv.budget", have: budget, need: least },
    );
  }
  const kept = evict ? Math.ceil(evict.keep / pageTokens) * groupBytes + tailBytes : 0;
  if (evict && budget !== undefined && budget < kept) {
    throw kvError(
      `kv.evict keeps ${evict.keep} tokens, which take ${kept} bytes, and kv.budget is ${budget}. Keep fewer, or set the budget to ${kept} or more.`,
      { param: "kv.evict.keep", have: budget, need: kept },
    );
  }
}

function kvError(message: string, detail: Record<string, string | number>): ShaderloomError {
  return new ShaderloomError("REQUEST.kv", message, { detail });
}
