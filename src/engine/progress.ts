// Progress of a load as the API reports it: phases in order, bytes and speed while weights are read.

/** A moment of loading. `progress` is 0..1 over the whole load, `loaded`/`total` are bytes of `file`. */
export interface LoadProgress {
  readonly phase: "open" | "wait" | "header" | "compile" | "weights" | "tokenizer" | "finish" | "ready";
  readonly file: string;
  readonly loaded: number;
  readonly total: number;
  readonly bytesPerSecond: number;
  readonly fromCache: boolean;
  readonly progress: number;
  /** One line for people. */
  readonly text: string;
}

export type LoadProgressListener = (progress: LoadProgress) => void;

export interface LoadReport {
  /** Enters a phase. */
  phase(phase: LoadProgress["phase"], file?: string): void;
  /** Another tab downloads this model: how far it has come. */
  waiting(news: { loaded: number; total: number; bytesPerSecond: number }): void;
  /** Bytes of weights read so far. */
  weights(moment: { loaded: number; total: number; bytesPerSecond: number; fromCache: boolean; file: string }): void;
}

/** Share of the whole load that is over when a phase begins; reading weights takes nearly all of it. */
const phaseStart: Readonly<Record<LoadProgress["phase"], number>> = {
  open: 0,
  wait: 0.005,
  header: 0.01,
  compile: 0.03,
  weights: 0.05,
  tokenizer: 0.97,
  finish: 0.98,
  ready: 1,
};

const phaseText: Readonly<Record<LoadProgress["phase"], string>> = {
  open: "Opening the model",
  wait: "Another tab is downloading this model",
  header: "Reading the header",
  compile: "Preparing the GPU",
  weights: "Reading weights",
  tokenizer: "Reading the vocabulary",
  finish: "Checking the whole file",
  ready: "Ready",
};

export function createLoadReport(listener: LoadProgressListener | undefined): LoadReport {
  let file = "";
  let last = { loaded: 0, total: 0, bytesPerSecond: 0, fromCache: false };
  const emit = (phase: LoadProgress["phase"], progress: number): void => {
    listener?.({ phase, file, ...last, progress, text: phaseText[phase] });
  };
  return {
    phase(phase, name) {
      file = name ?? file;
      emit(phase, phaseStart[phase]);
    },
    waiting(news) {
      last = { ...news, fromCache: false };
      emit("wait", phaseStart.wait);
    },
    weights({ loaded, total, bytesPerSecond, fromCache, file: name }) {
      file = name;
      last = { loaded, total, bytesPerSecond, fromCache };
      const share = total === 0 ? 1 : loaded / total;
      emit("weights", phaseStart.weights + share * (phaseStart.tokenizer - phaseStart.weights));
    },
  };
}
