// What one request runs on: the parts of a session that its loops share.

import type { Evictor } from "./evictor.ts";
import type { FlightPace } from "./flight.ts";
import type { KvBounds } from "./kv_options.ts";
import type { Runner } from "./runner.ts";
import type { Sequence } from "./sequence.ts";

export interface GenerateContext {
  readonly runner: Runner;
  readonly sequence: Sequence;
  readonly contextLength: number;
  /** What bounds it. */
  readonly kv: KvBounds;
  readonly vocabSize: number;
  /** Rows of a prefill step. */
  readonly chunkRows: number;
  readonly pace: FlightPace;
  /** Where tokens are dropped instead of failing with CONTEXT. */
  readonly evictor?: Evictor | undefined;
  /** Where tokens are chosen. */
  readonly sampler: "gpu" | "cpu";
  /** Called for each generated token. */
  readonly onToken: () => void;
  /** Called with the number of tokens that were computed ahead and are not wanted. */
  readonly onDiscard: (tokens: number) => void;
}
