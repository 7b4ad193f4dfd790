// Counts loaded bytes and tells of them: rate over the last seconds, not too often. Knows nothing of who loads.

export interface LoadProgress {
  readonly loaded: number;
  readonly total: number;
  /** Over the last few seconds. */
  readonly bytesPerSecond: number;
  readonly fromCache: boolean;
  readonly file: string;
}

export interface ProgressMeter {
  add(bytes: number): void;
  /** Reports once more whatever was counted last. */
  finish(): void;
}

export interface ProgressMeterOptions {
  readonly file: string;
  readonly total: number;
  readonly fromCache: boolean;
  readonly report: (progress: LoadProgress) => void;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

const reportEveryMs = 100;
const rateWindowMs = 3000;

/** Reports 0 bytes at once, then at most ten times a second. */
export function progressMeter(options: ProgressMeterOptions): ProgressMeter {
  const { file, total, fromCache, report, now = (): number => performance.now() } = options;
  let loaded = 0;
  const samples: Array<{ at: number; loaded: number }> = [];
  const tell = (): void => {
    const at = now();
    samples.push({ at, loaded });
    while (samples.length > 2 && at - samples[0].at > rateWindowMs) samples.shift();
    const [first] = samples;
    const bytesPerSecond = at > first.at ? ((loaded - first.loaded) * 1000) / (at - first.at) : 0;
    report({ loaded, total, bytesPerSecond, fromCache, file });
  };
  tell();
  return {
    add(bytes) {
      loaded = Math.min(loaded + bytes, total);
      const last = samples.at(-1);
      if (last === undefined || now() - last.at >= reportEveryMs) tell();
    },
    finish: tell,
  };
}
