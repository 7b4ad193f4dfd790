// When a failed request is sent again: back-off, the server's Retry-After, and waiting for the connection to come back. Knows nothing of
// what is fetched.

import { abortError } from "../../base/errors.ts";
import type { ShaderloomError } from "../../base/errors.ts";

export interface RetryRules {
  /** Attempts after the first that may fail in a row without bringing new bytes. */
  readonly retries: number;
  /** Milliseconds before the first retry, doubled for each further one. */
  readonly backOffMs: number;
  /** Milliseconds to wait for a connection while the browser says that there is none. */
  readonly offlineMs: number;
  /** Whether there is a connection, as far as anybody knows. */
  readonly online: () => boolean;
  /** Told before each attempt that follows a failure. */
  readonly onRetry?: ((error: ShaderloomError) => void) | undefined;
}

export interface Failure {
  readonly error: ShaderloomError;
  /** Failures before this one that count. */
  readonly failures: number;
  readonly signal: AbortSignal | undefined;
}

const longestBackOffMs = 30_000;
const onlinePollMs = 1000;

/** What the browser says; true where nobody says anything. */
export function browserOnline(): boolean {
  const here: { onLine?: boolean } | undefined = globalThis.navigator;
  return here?.onLine !== false;
}

/**
 * Waits before the next attempt.
 *
 * @returns failures to go on counting with: one more, or as before when only the connection was gone
 * @throws {ShaderloomError} the error when there is to be no further attempt; AbortError
 */
export async function backOff(rules: RetryRules, { error, failures, signal }: Failure): Promise<number> {
  if (!error.retryable) throw error;
  const offline = !rules.online();
  if (offline) {
    if (!(await cameOnline(rules, signal))) throw error;
  } else {
    if (failures >= rules.retries) throw error;
    const { retryAfterMs } = error.detail;
    const asked = typeof retryAfterMs === "number" ? retryAfterMs : 0;
    await pause(Math.max(Math.min(rules.backOffMs * 2 ** failures, longestBackOffMs), asked), signal);
  }
  rules.onRetry?.(error);
  return offline ? failures : failures + 1;
}

/** Workers are not sure to get `online` events, so the state itself is looked at too. */
async function cameOnline(rules: RetryRules, signal: AbortSignal | undefined): Promise<boolean> {
  const until = performance.now() + rules.offlineMs;
  while (!rules.online()) {
    const left = until - performance.now();
    if (left <= 0) return false;
    await pause(Math.min(left, onlinePollMs), signal, "online");
  }
  return true;
}

/** Ends with the time, or before it with an event of the global scope. */
async function pause(ms: number, signal: AbortSignal | undefined, event?: string): Promise<void> {
  const scope: Partial<Pick<EventTarget, "addEventListener" | "removeEventListener">> = globalThis;
  let end: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const stop = (): void => reject(abortError());
      const over = (): void => resolve();
      const timer = setTimeout(over, ms);
      signal?.addEventListener("abort", stop, { once: true });
      if (event !== undefined) scope.addEventListener?.(event, over);
      end = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", stop);
        if (event !== undefined) scope.removeEventListener?.(event, over);
      };
      if (signal?.aborted) stop();
    });
  } finally {
    end?.();
  }
}
