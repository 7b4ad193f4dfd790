// A Session without a model: answers by script, one byte per token, and fails loudly when two callers run at once. For tests
// of what lies above the engine.
import { ShaderloomError, assert, throwIfAborted } from "../base/errors.ts";
import type { GenerateEvent, GenerateRequest, KvUsage, Session, TokenScore } from "../engine/session.ts";
import { type Profile, type ProfileFacts, tableOf, traceOf } from "../engine/profile_report.ts";
import { noDiagnostics } from "../store/diagnostics.ts";
import type { Tokenizer } from "../text/tokenizer.ts";

export const FAKE_BOS = 256;
export const FAKE_EOS = 257;
const PIECES = new Map([
  [FAKE_BOS, "<s>"],
  [FAKE_EOS, "<|end|>"],
  [258, "Hello"],
  [259, " world"],
  [260, "o w"],
  [261, "ST"],
  [262, "OP"],
  [263, "__proto__"],
]);
const VOCAB_SIZE = 264;
const utf8 = new TextEncoder();

/** @returns ids of the bytes of a text */
export function byteIds(text: string): number[] {
  return Array.from(utf8.encode(text));
}

function isControl(id: number): boolean {
  return id === FAKE_BOS || id === FAKE_EOS;
}

function tokenText(id: number): string {
  return PIECES.get(id) ?? String.fromCharCode(id);
}

function tokenBytes(id: number): Uint8Array {
  if (isControl(id)) return new Uint8Array();
  return id < 256 ? Uint8Array.of(id) : utf8.encode(PIECES.get(id));
}

export function fakeTokenizer(options: { addBos?: boolean; stripsLeadingSpace?: boolean } = {}): Tokenizer {
  return {
    vocabSize: VOCAB_SIZE,
    specialTokens: new Map([
      ["<s>", FAKE_BOS],
      ["<|end|>", FAKE_EOS],
    ]),
    bosId: FAKE_BOS,
    eosId: FAKE_EOS,
    addBos: options.addBos ?? true,
    addEos: false,
    endOfGeneration: new Set([FAKE_EOS]),
    encode: byteIds,
    encodeWithSpecials: byteIds,
    encodeMixed: byteIds,
    tokenBytes,
    tokenText,
    decode(ids, { skipSpecial = false } = {}) {
      const bytes = ids.flatMap((id) => Array.from(isControl(id) && !skipSpecial ? utf8.encode(tokenText(id)) : tokenBytes(id)));
      return new TextDecoder().decode(Uint8Array.from(bytes));
    },
    stripsLeadingSpace: options.stripsLeadingSpace ?? false,
    dispose: () => undefined,
  };
}

export interface FakeOptions {
  /** The ids of each answer, from the prompt; without an end token at their end the answer is cut by its length. */
  readonly answer: (request: GenerateRequest) => readonly number[];
  readonly contextLength?: number;
  readonly tokenizer?: Tokenizer;
  readonly chatTemplate?: Session["chatTemplate"];
  /** Waits before each event; a macrotask by default. */
  readonly pause?: (signal: AbortSignal | undefined) => Promise<void>;
  /** Fails instead of giving this token of an answer. */
  readonly failAt?: number;
  /** What a policy that is in force says when a request has ended. */
  readonly kvUsage?: KvUsage;
}

/** What a test may ask afterwards. */
export interface FakeSession extends Session {
  /** Requests in the order in which they ran. */
  readonly ran: GenerateRequest[];
  readonly running: boolean;
  readonly destroyed: boolean;
  readonly tokensMade: number;
}

/** The score of an id: any numbers that tell one from another. */
export function fakeScore(id: number, count: number): TokenScore {
  const top = Array.from({ length: count }, (_, i) => ({ id: (id + i) % VOCAB_SIZE, logprob: -(i + 1) / 4 }));
  return { id, logprob: -1 / 4, top };
}

/** A profile of steps without dispatches. */
function fakeProfile(tokens: number, promptTokens: number): Profile {
  const facts: ProfileFacts = {
    adapter: { vendor: "", architecture: "", description: "", deviceClass: "cpu", f16: false },
    activations: "f32",
    timestamps: false,
    quantumMs: 0.1,
    copyBytesPerSecond: 1e9,
    macsPerSecond: 1e9,
    steps: [
      { phase: "decode", rows: 1, contextTokens: tokens, totalMs: 1, encodeMs: 0, dispatches: [] },
      { phase: "prefill", rows: promptTokens, contextTokens: promptTokens, totalMs: 1, encodeMs: 0, dispatches: [] },
    ],
  };
  return { ...facts, table: tableOf(facts), trace: traceOf(facts) };
}

const macrotask = (): Promise<void> => new Promise((resolve) => void setTimeout(resolve, 0));

export function fakeSession(options: FakeOptions): FakeSession {
  const { answer, contextLength = 256, pause = macrotask, failAt } = options;
  const state = { running: false, destroyed: false, tokensMade: 0 };
  const ran: GenerateRequest[] = [];
  async function* run(request: GenerateRequest): AsyncGenerator<GenerateEvent, void, undefined> {
    const { promptIds, maxTokens, promptLogprobs, logprobs, signal, stopIds } = request;
    await pause(signal);
    throwIfAborted(signal);
    const scores = promptLogprobs === undefined ? [] : promptIds.map((id, i) => (i === 0 ? null : fakeScore(id, promptLogprobs)));
    yield { kind: "prompt", cachedTokens: 1, prefillMs: 2, scores };
    let generated = 0;
    for (const [i, id] of answer(request).slice(0, maxTokens).entries()) {
      await pause(signal);
      throwIfAborted(signal);
      if (i === failAt) throw new ShaderloomError("GPU.lost", "The device is gone. Create the engine again.");
      generated++;
      state.tokensMade++;
      yield { kind: "token", id, ...(logprobs === undefined ? {} : { score: fakeScore(id, logprobs) }) };
      if (stopIds.has(id)) {
        yield { kind: "end", reason: "stop", decodeMs: 1, generated };
        return;
      }
    }
    yield { kind: "end", reason: "length", decodeMs: 1, generated };
  }
  return {
    tokenizer: options.tokenizer ?? fakeTokenizer(),
    chatTemplate: options.chatTemplate,
    async *generate(request) {
      assert(!state.running, "one generate runs at a time");
      assert(!state.destroyed, "nothing runs after destroy");
      state.running = true;
      ran.push(request);
      try {
        yield* run(request);
      } finally {
        state.running = false;
      }
    },
    async tune({ signal, onProgress } = {}) {
      assert(!state.running, "nothing else runs meanwhile");
      state.running = true;
      try {
        onProgress?.({ done: 0, total: 1, class: "x" });
        await pause(signal);
        throwIfAborted(signal);
        onProgress?.({ done: 1, total: 1, class: "" });
        return { clock: "wall", totalMs: 1, stored: false, variants: [], dropped: [] };
      } finally {
        state.running = false;
      }
    },
    async profile({ signal, tokens = 9, promptTokens = 8 } = {}) {
      assert(!state.running, "nothing else runs meanwhile");
      state.running = true;
      try {
        await pause(signal);
        throwIfAborted(signal);
        return fakeProfile(tokens, promptTokens);
      } finally {
        state.running = false;
      }
    },
    info: () => ({
      name: "fake",
      architecture: "none",
      parameters: 0,
      types: {},
      weightBytes: 0,
      vocabSize: VOCAB_SIZE,
      trainedContextLength: contextLength,
      contextLength,
      adapter: { vendor: "", architecture: "", description: "", deviceClass: "cpu", f16: false },
      activations: "f32",
      evict: options.kvUsage?.policy,
      storage: { tier: null, model: null, complete: false, verified: false, diagnostics: noDiagnostics(), warning: null },
    }),
    kvUsage() {
      assert(!state.running, "what is kept is known once a request has ended");
      return options.kvUsage;
    },
    stats: () => ({
      gpuBytes: { weights: 0, kv: 0, activations: 0, other: 0, total: 0, peak: 0 },
      streaming: null,
      neurons: null,
      kvPages: { used: 0, capacity: 0, growths: 0, cached: 0, type: "f32", pageTokens: 32, bytesPerThousandTokens: 0 },
      dispatches: { decode: 0, prefill: 0 },
      fusion: { decode: [], prefill: [] },
      pipelines: 0,
      kernels: { mode: "off", chosen: [], dropped: [], compileMs: 0, checkMs: 0, raceMs: 0, clock: null, rivals: 0 },
      steps: 0,
      decodeSteps: 0,
      promptTokens: 0,
      tokensGenerated: state.tokensMade,
      tokensInFlight: 1,
      discardedTokens: 0,
      prefillSubmits: { count: 0, longestMs: 0 },
      loadMs: 0,
      encodeMs: 0,
      submitMs: 0,
    }),
    destroy() {
      state.destroyed = true;
    },
    ran,
    get running() {
      return state.running;
    },
    get destroyed() {
      return state.destroyed;
    },
    get tokensMade() {
      return state.tokensMade;
    },
  };
}
