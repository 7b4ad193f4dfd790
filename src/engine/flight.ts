// How many decode steps are submitted before the first of them is awaited, and those that are. Browsers tell late that work is done, Firefox up
// to 100 ms: a loop that awaits each token then leaves the GPU idle. Knows neither steps nor tokens.

import { assert } from "../base/errors.ts";
import { clamp } from "../base/math.ts";
import { executionRanges } from "./execution.ts";

/** Most steps in flight. */
const mostInFlight = executionRanges.tokensInFlight.max;

/** How much longer than its latency a GPU may be busy with what nobody waits for any more. */
const patienceMs = 250;

/** What the last results told. */
export interface FlightWindow {
  /** Steps in flight while it was measured. */
  readonly inFlight: number;
  /** From the submit of a step on an idle GPU until its result is there. */
  readonly latencyMs: number;
  /** Mean time from one result to the next. */
  readonly intervalMs: number;
}

/**
 * As many steps as end while one is on its way, and one more. Where that is more than there were, the interval was not the GPU's but the ring's
 * and says nothing yet: twice as many then. Fewer come by halves, because a window may have been a bad one.
 */
export function chooseInFlight({ inFlight, latencyMs, intervalMs }: FlightWindow): number {
  const interval = Math.max(intervalMs, 1e-3);
  const wanted = Math.ceil(latencyMs / interval) + 1;
  // What is in flight when a request is left cannot be called back.
  const most = clamp(Math.floor((latencyMs + patienceMs) / interval) + 1, 2, mostInFlight);
  if (wanted > inFlight) return Math.min(2 * inFlight, most);
  return clamp(Math.floor((inFlight + wanted) / 2), 2, most);
}

/** Idle latencies that are remembered: one may hold a driver's warming up, the least of several does not. */
const keptLatencies = 3;
/** Fewest results to judge by. */
const leastWindow = 4;

/** Owns the number of tokens in flight of a session, from request to request. */
export class FlightPace {
  readonly #forced: number | undefined;
  #most: number = mostInFlight;
  #inFlight = 2;
  #idleLatencies: number[] = [];
  #idle = true;
  #windowStartMs = 0;
  #results = 0;
  #longestWaitMs = 0;

  /** @param forced  a number to keep to */
  constructor(forced?: number) {
    this.#forced = forced;
  }

  /** Of the request that began last. */
  get inFlight(): number {
    return Math.min(this.#forced ?? this.#inFlight, this.#most);
  }

  /**
   * A request begins, on an idle GPU.
   * @param most  that it can have in flight
   */
  begin(most: number): void {
    this.#most = most;
    this.#idle = true;
    this.#results = 0;
  }

  /**
   * A result is there, while as many were in flight as are allowed.
   * @param latencyMs  since its submit
   * @param waitMs     of it, since somebody waits
   */
  landed(nowMs: number, latencyMs: number, waitMs: number): void {
    if (this.#idle) {
      this.#idle = false;
      this.#idleLatencies = [latencyMs, ...this.#idleLatencies].slice(0, keptLatencies);
      this.#open(nowMs);
      return;
    }
    this.#results++;
    this.#longestWaitMs = Math.max(this.#longestWaitMs, waitMs);
    if (this.#results < Math.max(this.#inFlight, leastWindow)) return;
    const intervalMs = (nowMs - this.#windowStartMs) / this.#results;
    // Where results come in bursts, as from a timer, the first latency is any, and the wait between bursts is the one that counts.
    const visibleMs = Math.max(Math.min(...this.#idleLatencies), this.#longestWaitMs);
    this.#inFlight = chooseInFlight({ inFlight: this.#inFlight, latencyMs: visibleMs, intervalMs });
    this.#open(nowMs);
  }

  #open(nowMs: number): void {
    this.#windowStartMs = nowMs;
    this.#results = 0;
    this.#longestWaitMs = 0;
  }
}

interface Launched<T> {
  readonly result: Promise<T>;
  readonly submittedMs: number;
}

/** The steps of one request that are on their way, oldest first. */
export class Flight<T> {
  readonly #pace: FlightPace;
  readonly #most: number;
  readonly #now: () => number;
  readonly #launched: Launched<T>[] = [];

  /** @param most  1 where each step needs the result of the one before */
  constructor(pace: FlightPace, { most = mostInFlight, now = () => performance.now() }: { most?: number; now?: () => number } = {}) {
    this.#pace = pace;
    this.#most = most;
    this.#now = now;
    pace.begin(most);
  }

  /** Steps in flight. */
  get size(): number {
    return this.#launched.length;
  }

  /** Whether another step may be submitted. */
  get room(): boolean {
    return this.#launched.length < this.#pace.inFlight;
  }

  /** Notes a step that was just submitted. */
  launch(result: Promise<T>): void {
    // Those behind a failed one fail too, and nobody may come to ask.
    result.catch(() => undefined);
    this.#launched.push({ result, submittedMs: this.#now() });
  }

  /** The oldest result. */
  async next(): Promise<T> {
    const full = !this.room && this.#most > 1;
    const oldest = this.#launched.shift();
    assert(oldest, "a step is in flight");
    const askedMs = this.#now();
    const result = await oldest.result;
    const now = this.#now();
    if (full) this.#pace.landed(now, now - oldest.submittedMs, now - askedMs);
    return result;
  }

  /** Lets go of what is in flight: it ends by itself. @returns how many steps */
  leave(): number {
    return this.#launched.splice(0).length;
  }
}
