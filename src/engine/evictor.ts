// What a request asks of a policy that drops tokens; eviction.ts has the policies, a chunk of its own.

import type { KvPolicy } from "./kv_options.ts";
import type { Sequence } from "./sequence.ts";

export type StepPhase = "prefill" | "decode";

export interface Evictor {
  readonly policy: KvPolicy;
  /** Places that a sequence may take before a step of decode. */
  readonly keep: number;
  /** Whether a sequence may go on beyond the context: where those that stay get turns anew. */
  readonly endless: boolean;
  /** Most decode steps in flight; undefined: as many as there are. */
  readonly mostInFlight: number | undefined;
  /** Tokens that the last chunk of a prompt should have, as far as there are. */
  readonly lastChunk: number;
  /**
   * Makes room for more places, where there is none; nothing is in flight. Notes in the sequence what was dropped.
   * @returns how many of `rows` may come now: tokens go when `keep` are held, however steps are cut
   */
  beforeRows(sequence: Sequence, rows: number, phase: StepPhase): Promise<number>;
  /** The rows' step is submitted (prefill), or its result is there (decode). */
  afterRows?(sequence: Sequence, rows: number, phase: StepPhase): Promise<void> | undefined;
  /** The whole prompt is in the cache. */
  afterPrompt?(sequence: Sequence): Promise<void>;
}
