// What lowering is given, shared by its files.

import type { KvLayout } from "../base/layout.ts";
import type { WeightFormat } from "../formats/format.ts";
import type { KernelTarget } from "../kernels/kernel.ts";
import type { FusionName } from "./fuse/names.ts";
import type { KernelCall } from "./call.ts";
import type { AttentionNode, ReadyHeads, Value } from "./ir.ts";

export interface LowerOptions {
  readonly phase: "prefill" | "decode";
  readonly target: KernelTarget;
  readonly kv: KvLayout;
  readonly formats: ReadonlyMap<number, WeightFormat>;
  /** Passes that join calls where the target has kernels for it; default `defaultFusion`. */
  readonly fusion?: ReadonlySet<FusionName> | undefined;
  /** Whether a gate may go into the product before it (default): else types of such products are no more pipelines. */
  readonly pairs?: boolean | undefined;
  /** What the target was asked about products and answered, for other graphs of the same layers. */
  readonly answers?: Map<string, boolean> | undefined;
  /** Calls behind attention over many rows, of its queries as it reads them; only policies that drop tokens have some. */
  readonly afterAttention?: ((attention: AttentionNode, query: Value, lowering: AfterAttention) => readonly KernelCall[]) | undefined;
  /** For quantized keys and values. */
  readonly quantized?: QuantizedLowering | undefined;
  /** Candidates that the `score` section reports for each output row. */
  readonly scoreTopK: number;
}

/** Queries as attention reads them, and what makes them ready. */
export interface ReadyQuery {
  readonly query: Value;
  /** What attention reads beside queries and pages: keys and values that types of pages show only to queries of the same page. */
  readonly recent?: Value;
  readonly calls: readonly KernelCall[];
}

/** What storing is lowered with. */
export interface Storing {
  readonly options: LowerOptions;
  readonly values: ValueSource;
}

export interface Stored {
  readonly recent: Value;
  readonly calls: readonly KernelCall[];
}

/** Queries, keys and values on their way into the cache. */
export interface Regrouped extends ReadyHeads {
  readonly calls: readonly KernelCall[];
}

/** See lower_quantized.ts. */
export interface QuantizedLowering {
  storePages(node: AttentionNode, inputs: readonly Value[], storing: Storing): Stored;
  regrouped(node: AttentionNode, heads: ReadyHeads, values: ValueSource): Regrouped;
  /** What comes after the rows of decode are stored. */
  storedPages(node: AttentionNode, kv: KvLayout): readonly KernelCall[];
}

/** What calls behind attention are made with. */
export interface AfterAttention {
  readonly kv: KvLayout;
  readonly values: ValueSource;
}

/** New values that lowering adds, numbered after the graph's own. */
export interface ValueSource {
  make(name: string, like: { rows: Value["rows"]; extraRows?: number; cols: number; type: Value["type"] }): Value;
}
