// Progress of a load as the API reports it: phases in order, bytes and speed while weights are read.

import type { KvType } from "./kv_options.ts";

/** A moment of loading. `progress` is 0..1 over the whole load, `loaded`/`total` are bytes of `file`. */
export interface LoadProgress {
  readonly phase: "open" | "wait" | "header" | "compile" | "weights" | "image" | "tokenizer" | "finish" | "ready";
  readonly file: string;
  readonly loaded: number;
  readonly total: number;
  readonly bytesPerSecond: number;
  readonly fromCache: boolean;
  readonly progress: number;
  /** One line for people. */
  readonly text: string;
  /** From the header on: what keys and values are stored as, and what 1,000 tokens take of them in all layers. */
  readonly kv?: { readonly type: KvType; readonly bytesPerThousandTokens: number };
}

export type LoadProgressListener = (progress: LoadProgress) => void;

export interface LoadReport {
  /** Enters a phase. */
  phase(phase: LoadProgress["phase"], file?: string): void;
  /** What tokens will take, before any weight is read. */
  kv(kv: NonNullable<LoadProgress["kv"]>): void;
  /** Another tab downloads this model: how far it has come. */
  waiting(news: { loaded: number; total: number; bytesPerSecond: number }): void;
  /** What share of the whole load the bytes told of from now on are: a streamed model's are read in several turns. */
  span(start: number, end: number): void;
  /** Bytes of weights read so far. */
  weights(moment: BytesMoment): void;
  /** Bytes of the streamed copy of the layers written so far. */
  image(moment: BytesMoment): void;
}

interface BytesMoment {
  readonly loaded: number;
  readonly total: number;
  readonly bytesPerSecond: number;
  readonly fromCache: boolean;
  readonly file: string;
}

/** Share of the whole load that is over when a phase begins; reading weights takes nearly all of it. */
const phaseStart: Readonly<Record<LoadProgress["phase"], number>> = {
  open: 0,
  wait: 0.005,
  header: 0.01,
  compile: 0.03,
  weights: 0.05,
  image: 0.5,
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
  image: "Writing a copy of the layers to stream from",
  tokenizer: "Reading the vocabulary",
  finish: "Checking the whole file",
  ready: "Ready",
};

export function createLoadReport(listener: LoadProgressListener | undefined): LoadReport {
  let file = "";
  let last = { loaded: 0, total: 0, bytesPerSecond: 0, fromCache: false };
  let tokens: Pick<LoadProgress, "kv"> = {};
  let span = { start: phaseStart.weights, end: phaseStart.tokenizer };
  const emit = (phase: LoadProgress["phase"], progress: number): void => {
    listener?.({ phase, file, ...last, progress, text: phaseText[phase], ...tokens });
  };
  const bytes = (phase: "weights" | "image", { file: name, ...moment }: BytesMoment): void => {
    file = name;
    last = moment;
    const share = moment.total === 0 ? 1 : moment.loaded / moment.total;
    emit(phase, span.start + share * (span.end - span.start));
  };
  return {
    phase(phase, name) {
      file = name ?? file;
      emit(phase, phaseStart[phase]);
    },
    kv: (kv) => void (tokens = { kv }),
    waiting(news) {
      last = { ...news, fromCache: false };
      emit("wait", phaseStart.wait);
    },
    span: (start, end) => void (span = { start, end }),
    weights: (moment) => bytes("weights", moment),
    image: (moment) => bytes("image", moment),
  };
}
