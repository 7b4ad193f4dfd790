// The engine around a loaded session: the queue before it and the methods a caller sees. Loads nothing.

import { asShaderloomError, type ShaderloomError } from "../base/errors.ts";
import type { Session } from "../engine/session.ts";
import type { EngineParts } from "./call.ts";
import { createChatCompletion } from "./chat.ts";
import { promptOf } from "./chat_prompt.ts";
import { parseMessages, parseTemplateKwargs } from "./chat_request.ts";
import { readCallOptions, readProfileOptions, readTuneOptions, unloadAbortError, unloadedError } from "./engine_options.ts";
import { checkArray, checkNumber, checkString } from "./fields.ts";
import { createTurnQueue } from "./queue.ts";
import { MAX_TEXT_LENGTH } from "./sampling_request.ts";
import { lazySessions } from "./lazy_sessions.ts";
import type { SessionMethods } from "./session_types.ts";
import type {
  CallOptions,
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  Completion,
  CompletionRequest,
  Engine,
  EngineInfo,
  Profile,
  ProfileOptions,
  TuneOptions,
  TuneReport,
} from "./types.ts";

/** How long a running call may take to notice that the engine is going. */
const UNLOAD_PATIENCE_MS = 5000;

const MAX_IDS = 1 << 24;

/** Runs a call unless the engine is unloaded. */
type Guard = <T>(call: () => T | Promise<T>) => Promise<T>;

function chatMethods(parts: EngineParts, guard: Guard): Engine["chat"] {
  function create(
    request: ChatCompletionRequest & { readonly stream: true },
    options?: CallOptions,
  ): Promise<AsyncIterable<ChatCompletionChunk>>;
  function create(request: ChatCompletionRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<ChatCompletion>;
  function create(request: ChatCompletionRequest, options?: CallOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>>;
  function create(request: ChatCompletionRequest, options?: CallOptions): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> {
    return guard(() => createChatCompletion(parts, request, readCallOptions(options)));
  }
  return { completions: { create } };
}

/** A chunk of its own: chats need none of it. It is fetched with the engine, as there may be no network later on. */
function completionMethods(parts: EngineParts, guard: Guard): Engine["completions"] {
  const script = import("./completions.ts");
  script.catch(() => undefined);
  function create(request: CompletionRequest & { readonly stream: true }, options?: CallOptions): Promise<AsyncIterable<Completion>>;
  function create(request: CompletionRequest & { readonly stream?: false | null }, options?: CallOptions): Promise<Completion>;
  function create(request: CompletionRequest, options?: CallOptions): Promise<Completion | AsyncIterable<Completion>>;
  function create(request: CompletionRequest, options?: CallOptions): Promise<Completion | AsyncIterable<Completion>> {
    return guard(async () => (await script).createCompletion(parts, request, readCallOptions(options)));
  }
  return { create };
}

function engineInfo(session: Session): EngineInfo {
  const { adapter, contextLength, activations, evict, kv: _kv, storage, ...model } = session.info();
  return {
    model: { ...model, chatTemplate: session.chatTemplate !== undefined },
    adapter,
    contextLength,
    activations,
    ...(evict === undefined ? {} : { evict }),
    worker: false,
    storage,
  };
}

function checkIds(ids: unknown, vocabSize: number): number[] {
  return checkArray(ids, "ids", MAX_IDS).map((id, i) => checkNumber(id, `ids[${i}]`, { min: 0, max: vocabSize - 1, integer: true }));
}

/** Runs something that needs the session for itself, in its turn; the engine's end aborts it. */
async function inTurn<T>(
  { queue, closers }: EngineParts,
  signal: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const release = await queue.take(signal);
  const closing = new AbortController();
  const close = (error: ShaderloomError): void => closing.abort(error);
  closers.add(close);
  try {
    return await run(signal ? AbortSignal.any([signal, closing.signal]) : closing.signal);
  } catch (thrown) {
    // Its script may be missing.
    throw asShaderloomError(thrown);
  } finally {
    closers.delete(close);
    release();
  }
}

function tuneInTurn(parts: EngineParts, { signal, onProgress }: TuneOptions): Promise<TuneReport> {
  return inTurn(parts, signal, (combined) => parts.session.tune({ signal: combined, onProgress }));
}

function profileInTurn(parts: EngineParts, { signal, ...options }: ProfileOptions): Promise<Profile> {
  return inTurn(parts, signal, (combined) => parts.session.profile({ ...options, signal: combined }));
}

async function openSessions(parts: EngineParts): Promise<SessionMethods> {
  const { sessionMethods } = await import("./session_api.ts").catch((thrown: unknown) => {
    throw asShaderloomError(thrown);
  });
  return sessionMethods(parts, inTurn);
}

async function closeSession({ session, queue, closers }: EngineParts): Promise<void> {
  const error = unloadAbortError();
  queue.close(error);
  for (const close of closers) close(error);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, UNLOAD_PATIENCE_MS);
  });
  // Whoever still runs after this loses the device under it and ends with that error.
  await Promise.race([queue.idle(), late]);
  clearTimeout(timer);
  session.destroy();
}

/** The engine of a loaded session. Owns the session. */
export function createSessionEngine(session: Session): Engine {
  const parts: EngineParts = { session, queue: createTurnQueue(), closers: new Set() };
  let unloading: Promise<void> | undefined;
  const unload = (): Promise<void> => (unloading ??= closeSession(parts));
  const guard: Guard = async (call) => {
    if (unloading !== undefined) throw unloadedError();
    return call();
  };
  return {
    chat: chatMethods(parts, guard),
    completions: completionMethods(parts, guard),
    tokenize: (text) => guard(() => session.tokenizer.encode(checkString(text, "text", MAX_TEXT_LENGTH))),
    detokenize: (ids) => guard(() => session.tokenizer.decode(checkIds(ids, session.info().vocabSize))),
    applyChatTemplate: (messages, kwargs) => guard(() => promptOf(session, parseMessages(messages), parseTemplateKwargs(kwargs)).text),
    info: () => guard(() => engineInfo(session)),
    tune: (options) => guard(() => tuneInTurn(parts, readTuneOptions(options))),
    profile: (options) => guard(() => profileInTurn(parts, readProfileOptions(options, session.info().contextLength))),
    stats: () => guard(() => ({ ...session.stats(), queued: parts.queue.waiting })),
    ...lazySessions(
      () => guard(() => openSessions(parts)),
      () => import("./session_api.ts"),
    ),
    unload,
    [Symbol.asyncDispose]: unload,
  };
}
