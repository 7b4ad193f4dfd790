// Waiting that a signal can end, where what is waited for cannot be stopped.

import { abortError } from "./errors.ts";

/**
 * What the promise gives, unless the signal comes first; the work itself goes on, and is nobody's business any more.
 *
 * @throws {ShaderloomError} AbortError, and whatever the promise throws
 */
export function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(abortError(signal));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
