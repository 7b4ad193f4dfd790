// Waiting for a change of something that others change: each wait ends with the next change or the caller's signal, and whoever waited looks
// again.

export interface Watch {
  /** Something changed. */
  tell(): void;
  /** The next change, or the signal. Never fails. */
  change(signal?: AbortSignal): Promise<void>;
}

export function createWatch(): Watch {
  const waiting = new Set<() => void>();
  return {
    tell: () => {
      const woken = [...waiting];
      waiting.clear();
      for (const wake of woken) wake();
    },
    change: (signal) =>
      new Promise<void>((resolve) => {
        const over = (): void => {
          signal?.removeEventListener("abort", over);
          waiting.delete(over);
          resolve();
        };
        signal?.addEventListener("abort", over, { once: true });
        waiting.add(over);
        if (signal?.aborted) over();
      }),
  };
}
