// Drops tokens of a sequence by a policy: which, from attention that is computed again for the rows that count, then all that stays is
// moved together on the GPU and pages are given back. A chunk of its own: most loads drop nothing.

import { assert, ShaderloomError } from "../base/errors.ts";
import { firstMoved, keptTokens, keyformerKept, snapKept, snapWindow, windowKept } from "../kv/policies/kept.ts";
import { HeldTurns } from "../kv/policies/turns.ts";
import { scoredTokens, scoresHeader } from "../kernels/eviction_layout.ts";
import { lost } from "../tuning/execute.ts";
import { type Compaction, type CompactionParts, openCompaction } from "./compaction.ts";
import type { Evictor, StepPhase } from "./evictor.ts";
import type { ExecutionOptions } from "./execution.ts";
import { defaultSink } from "./kv_options.ts";
import { chunkRows } from "./placement.ts";
import { consecutiveRows, type Runner } from "./runner.ts";
import type { RunnerParts } from "./runner_parts.ts";
import type { Sequence } from "./sequence.ts";

export interface EvictionParts extends CompactionParts {
  readonly parts: RunnerParts;
  readonly runner: Runner;
  readonly execution: Pick<ExecutionOptions, "chunkTokens">;
}

/** @throws {ShaderloomError} GPU.shader */
export async function createEvictor(parts: EvictionParts): Promise<Evictor> {
  return new PolicyEvictor(parts, await openCompaction(parts));
}

/** How long room to move is waited for: as long as a group of pages takes to be copied, many times over. */
const mostTries = 500;
const betweenTriesMs = 10;

class PolicyEvictor implements Evictor {
  readonly policy: Evictor["policy"];
  readonly keep: number;
  // Keys are turned to their places before positions run out.
  readonly endless = true;
  readonly mostInFlight = undefined;
  readonly lastChunk = 1;
  readonly #parts: EvictionParts;
  readonly #compaction: Compaction;
  readonly #room: { readonly keep: number; readonly sink: number };
  readonly #heads: number;
  readonly #lists: number;
  readonly #turns: HeldTurns;
  /** Attention that the places kept at the last eviction got before it, by layer and kv head. */
  #gathered: readonly Float32Array[] = [];
  /** Whether no row is missing that is to be computed again. */
  #whole = true;
  /** Of the sequence that turns and attention are known of: those it had dropped. */
  #dropped = 0;

  constructor(parts: EvictionParts, compaction: Compaction) {
    const { evict } = parts.model;
    assert(evict, "a load that drops tokens says how");
    const { policy, keep, sink = defaultSink } = evict;
    this.policy = policy;
    this.keep = keep;
    this.#parts = parts;
    this.#compaction = compaction;
    this.#room = { keep, sink };
    this.#heads = parts.model.kv.numKvHeads;
    this.#lists = parts.model.config.numLayers * this.#heads;
    this.#turns = new HeldTurns(this.#lists);
  }

  async beforeRows(sequence: Sequence, rows: number, phase: StepPhase): Promise<number> {
    if (sequence.length >= this.#most(sequence, phase)) await this.#evict(sequence);
    return Math.min(rows, this.#most(sequence, phase) - sequence.length);
  }

  async afterPrompt(sequence: Sequence): Promise<void> {
    if (sequence.length > this.keep) await this.#evict(sequence);
  }

  /** Places that a sequence may take: what SnapKV drops of a prompt is chosen at its end, by the question there. */
  #most(sequence: Sequence, phase: StepPhase): number {
    if (phase === "decode" || this.policy !== "snapkv") return this.keep;
    const { cache } = this.#parts.parts;
    return Math.min(this.#parts.model.contextLength, cache.maxTokens, scoredTokens(this.#parts.model.kv) - sequence.shift);
  }

  async #evict(sequence: Sequence): Promise<void> {
    this.#whole = true;
    const held = sequence.length;
    const kept = keptTokens(this.#room);
    try {
      const shift = await (this.policy === "window" ? this.#slide(sequence, held, kept) : this.#choose(sequence, held, kept));
      sequence.drop(held - kept, shift);
      this.#dropped = sequence.dropped;
    } catch (error) {
      // Where there was no room to move, all is as it was.
      if (!this.#whole || !isFull(error)) sequence.discard();
      throw error;
    }
  }

  /** Everything behind the sinks moves down, and turns back by as much. */
  async #slide({ slot }: Sequence, held: number, kept: number): Promise<number> {
    const { sink } = this.#room;
    const sources = windowKept(held, this.#room).subarray(sink);
    const list = { sources, backs: new Uint32Array(sources.length).fill(held - kept) };
    await patiently(() => this.#compaction.run(slot, { first: sink, kept, layers: undefined, lists: [list] }));
    return 0;
  }

  /** Each kv head keeps its own. */
  async #choose(sequence: Sequence, held: number, kept: number): Promise<number> {
    if (sequence.dropped !== this.#dropped || sequence.dropped === 0) this.#forget();
    const counted = this.#gathered[0]?.length ?? 0;
    const rows = this.policy === "snapkv" ? snapWindow : held - counted;
    const observed = await this.#observe(sequence, rows);
    const scores = this.policy === "snapkv" ? observed : observed.map((fresh, list) => added(fresh, this.#gathered[list]));
    const choose = this.policy === "snapkv" ? snapKept : keyformerKept;
    const places = scores.map((list) => choose(list, this.#room));
    // Places of the table are all that there is to turn by.
    const settles = this.#turns.shift + held - kept + this.keep > scoredTokens(this.#parts.model.kv);
    const backs = settles ? places.map((list, index) => this.#turns.backs(index, list)) : undefined;
    const first = settles ? 0 : Math.min(...places.map(firstMoved));
    const lists = places.map((list, index) => ({ sources: list.subarray(first), backs: backs?.[index].subarray(first) }));
    await patiently(() => this.#compaction.run(sequence.slot, { first, kept, layers: this.#heads, lists }));
    this.#turns.keep(places, held);
    if (settles) this.#turns.settle();
    this.#gathered = this.policy === "snapkv" ? [] : places.map((list, index) => Float32Array.from(list, (place) => scores[index][place]));
    return this.#turns.shift;
  }

  #forget(): void {
    this.#turns.reset();
    this.#gathered = [];
  }

  /**
   * Runs the newest rows again, this time with their attention summed: so it depends on accepted tokens alone, whatever flew beyond them.
   * @returns attention that each place got, by layer and kv head
   */
  async #observe(sequence: Sequence, rows: number): Promise<Float32Array[]> {
    const { runner } = this.#parts;
    const { slot } = sequence;
    const held = sequence.length;
    const ids = sequence.ids.slice(sequence.ids.length - rows);
    this.#wanted(true);
    this.#whole = false;
    try {
      runner.truncate(slot, held - rows);
      runner.follow(sequence);
      for (let start = 0; start < rows;) {
        const place = held - rows + start;
        const count = runner.chunkRows(place, Math.min(rows - start, this.#chunkRows));
        await patiently(() => runner.reserve(slot, place + count));
        await runner.prefill({ rows: consecutiveRows(ids.slice(start, start + count), place, slot), again: true });
        start += count;
      }
      this.#whole = true;
      return await this.#readScores(held);
    } finally {
      this.#wanted(false);
    }
  }

  /** Rows of a step: where neurons are streamed, each asks for others. */
  get #chunkRows(): number {
    return Math.min(this.#parts.execution.chunkTokens ?? chunkRows, chunkRows);
  }

  /** Empties the scores of all layers, and says whether programs are to add to them. */
  #wanted(wanted: boolean): void {
    const { parts, model } = this.#parts;
    for (let layer = 0; layer < model.config.numLayers; layer++) {
      const range = this.#scores(layer);
      const words = new Float32Array(wanted ? range.size / 4 : scoresHeader);
      words[0] = wanted ? 1 : 0;
      parts.device.queue.writeBuffer(range.buffer, range.offset, words);
    }
  }

  #scores(layer: number): { readonly buffer: GPUBuffer; readonly offset: number; readonly size: number } {
    const { parts, model } = this.#parts;
    const range = parts.scores?.(layer);
    assert(range, "a policy that goes by attention has scores");
    const { buffer, offset = 0, size = buffer.size / model.config.numLayers } = range;
    return { buffer, offset, size };
  }

  async #readScores(held: number): Promise<Float32Array[]> {
    const { parts, buffers, model } = this.#parts;
    const { buffer, size } = this.#scores(0);
    const readback = buffers?.readback;
    assert(readback, "a policy that goes by attention can read it");
    const encoder = parts.device.createCommandEncoder({ label: "scores" });
    encoder.copyBufferToBuffer(buffer, 0, readback, 0, readback.size);
    parts.device.queue.submit([encoder.finish()]);
    await readback.mapAsync(1).catch(lost); // GPUMapMode.READ
    const words = new Float32Array(readback.getMappedRange());
    const tokens = scoredTokens(model.kv);
    const found = Array.from({ length: this.#lists }, (_, list) => {
      const layer = Math.floor(list / this.#heads);
      const at = (layer * size) / 4 + scoresHeader + (list % this.#heads) * tokens;
      return words.slice(at, at + held);
    });
    readback.unmap();
    return found;
  }
}

/** Tries again while there is no room: pages that are being saved are soon let go of. */
async function patiently<T>(attempt: () => T | Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isFull(error) || tries === mostTries) throw error;
    }
    await new Promise((resolve) => void setTimeout(resolve, betweenTriesMs));
  }
}

function isFull(error: unknown): boolean {
  return error instanceof ShaderloomError && error.code === "CONTEXT.full";
}

/** What a place got now and before. */
function added(fresh: Float32Array, before: Float32Array | undefined): Float32Array {
  return fresh.map((score, place) => score + (before?.[place] ?? 0));
}
