// Conversations as an engine offers them: what outlives a request, the GPU's memory, the page. Types alone.

import type { SavedSession, SessionTransfer, SuspendedSession } from "../engine/session.ts";

export type { SavedSession, SessionTransfer, SuspendedSession } from "../engine/session.ts";

/** `signal` ends the call; what is stored stays as it was. */
export interface SessionOptions {
  readonly signal?: AbortSignal;
}

/** Options of `saveSession`. */
export interface SaveSessionOptions extends SessionOptions {
  /** Up to 200 characters; what was saved under it before is replaced once this is stored. A new one when left out. */
  readonly id?: string;
}

/** What `saveSession` and `loadSession` tell. */
export interface SessionReport extends SavedSession, SessionTransfer {}

/**
 * The conversation that the last request left, as token ids with their keys and values. It comes back without being computed again: the next
 * request, whose prompt begins with it, tells so in `usage.prompt_tokens_details.cached_tokens`. Which messages it was made of is the caller's to
 * remember. Pages of keys and values that several conversations begin with are kept once.
 *
 * Everything throws GPU.lost and AbortError; `saveSession`, `suspendSession` and `exportSession` SESSION.evicted once a `kv.evict` policy has
 * dropped tokens, and SESSION.empty where there is no conversation; all SESSION.layout with `kv.layout: "contiguous"`.
 */
export interface SessionMethods {
  /**
   * Stores the conversation in IndexedDB (a folder in Node, where `store.folder` is given; else in memory). Only what is not stored yet is
   * written. Runs beside a request and takes what it has so far.
   *
   * @throws {ShaderloomError} QUOTA.full, STORE.*; what was saved under the id before is left as it was
   */
  saveSession(options?: SaveSessionOptions): Promise<SessionReport>;
  /**
   * Makes a saved conversation the engine's. Waits its turn like a request.
   *
   * @throws {ShaderloomError} SESSION.missing, SESSION.corrupt, SESSION.foreign for one of another model, SESSION.layout where options that decide
   * about keys and values were others, SESSION.version, CONTEXT.full. Nothing has changed then.
   */
  loadSession(id: string, options?: SessionOptions): Promise<SessionReport>;
  /** All saved conversations, those of other models included; the last saved first. */
  sessions(): Promise<SavedSession[]>;
  /** Deletes what is saved and what is suspended under an id. @throws {ShaderloomError} SESSION.missing */
  deleteSession(id: string): Promise<void>;
  /** Moves the conversation from the GPU to this computer's memory, to make room for another. Waits its turn. */
  suspendSession(id?: string, options?: SessionOptions): Promise<SuspendedSession>;
  /** Moves it back. What was moved before is not moved again by the next `suspendSession` of this id. @throws {ShaderloomError} SESSION.missing */
  resumeSession(id: string, options?: SessionOptions): Promise<SuspendedSession>;
  /** The conversation as a file, for another engine with the same model and options. It holds what was said. */
  exportSession(options?: SessionOptions): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Makes the conversation of a file the engine's. Whoever made a file decides what the model remembers: import what comes from whom you trust.
   *
   * @throws {ShaderloomError} as `loadSession`
   */
  importSession(bytes: Uint8Array, options?: SessionOptions): Promise<SessionTransfer>;
}
