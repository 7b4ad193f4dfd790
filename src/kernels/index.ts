// The list of kernels: conformance tests, benches and the "compile everything" test walk it.

import { add } from "./add.ts";
import { advance } from "./advance.ts";
import { argmax } from "./argmax.ts";
import { attentionDecode } from "./attention_decode.ts";
import { attentionMerge } from "./attention_merge.ts";
import { attentionPrefill } from "./attention_prefill.ts";
import { embed } from "./embed.ts";
import { gatherRows } from "./gather_rows.ts";
import { glu } from "./glu.ts";
import type { Kernel } from "./kernel.ts";
import { kvStore } from "./kv_store.ts";
import { linear } from "./linear.ts";
import { linearMerge } from "./linear_merge.ts";
import { linearSplit } from "./linear_split.ts";
import { quantize } from "./quantize.ts";
import { rmsNorm } from "./rms_norm.ts";
import { rope } from "./rope.ts";
import { topK } from "./top_k.ts";

/** A kernel whose attributes the caller need not know: its own cases bring them. */
export interface ListedKernel {
  readonly name: string;
  /** Hands the kernel, its type intact, to a visitor. */
  visit<R>(visitor: <A>(kernel: Kernel<A>) => R): R;
}

export function listed<A>(kernel: Kernel<A>): ListedKernel {
  return { name: kernel.name, visit: (visitor) => visitor(kernel) };
}

export const kernels: readonly ListedKernel[] = [
  listed(add),
  listed(advance),
  listed(argmax),
  listed(attentionDecode),
  listed(attentionMerge),
  listed(attentionPrefill),
  listed(embed),
  listed(gatherRows),
  listed(glu),
  listed(kvStore),
  listed(linear),
  listed(linearMerge),
  listed(linearSplit),
  listed(quantize),
  listed(rmsNorm),
  listed(rope),
  listed(topK),
];
