// What a session offers for conversations that outlive it or the GPU's memory. Types alone.

/** A saved conversation. */
export interface SavedSession {
  readonly id: string;
  /** Of the model that it was saved with. */
  readonly model: string;
  /** Milliseconds since 1970. */
  readonly savedAt: number;
  /** Tokens of prompt and answers. */
  readonly tokens: number;
  /** Bytes of its keys and values; pages that other saved conversations begin with, too, are stored once for all. */
  readonly bytes: number;
  /** Where it is: `memory` is gone with the engine. */
  readonly tier: "memory" | "indexeddb" | "opfs" | "files";
  /** Whether this engine can load it: it has the same model, the same form of keys and values, and a context that is long enough. */
  readonly usable: boolean;
}

/** What was moved of a conversation. */
export interface SessionTransfer {
  readonly tokens: number;
  /** Pages of keys and values that the conversation has. */
  readonly pages: number;
  /** Of these, pages that had to be moved; the others were there already. */
  readonly movedPages: number;
  readonly ms: number;
}

/** A conversation whose keys and values are in this computer's memory instead of the GPU's. */
export interface SuspendedSession extends SessionTransfer {
  readonly id: string;
}

export interface SaveOptions {
  /** Replaces what is saved under it; a new one when not given. */
  readonly id?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Conversations of an engine. `save` and `export` may run while a request does, and take what it has so far; `load`, `import`, `suspend` and
 * `resume` may not. All throw GPU.lost, GPU.oom and AbortError; SESSION.layout where keys and values lie in one range, SESSION.evicted for a
 * conversation that a policy has dropped tokens of, SESSION.empty where there is none.
 */
export interface Conversations {
  /** Stores the conversation that was computed last: only pages that are not stored yet. @throws {ShaderloomError} QUOTA.full, STORE.* */
  save(options?: SaveOptions): Promise<SavedSession & SessionTransfer>;
  /**
   * Makes a saved conversation the one that a request goes on from, whose prompt begins with it.
   * @throws {ShaderloomError} SESSION.missing, .corrupt, .foreign (another model), .layout (keys and values of another form), .version, CONTEXT.full
   */
  load(id: string, signal?: AbortSignal): Promise<SavedSession & SessionTransfer>;
  /** Those of other models, too; the last saved first. */
  list(): Promise<SavedSession[]>;
  /** Deletes what is stored and what is suspended under an id. @throws {ShaderloomError} SESSION.missing */
  delete(id: string): Promise<void>;
  /** Moves the conversation to this computer's memory and gives its pages back. */
  suspend(id?: string, signal?: AbortSignal): Promise<SuspendedSession>;
  /** Moves it back. What was moved once stays in memory until it is deleted, so that the next `suspend` moves new pages alone. */
  resume(id: string, signal?: AbortSignal): Promise<SuspendedSession>;
  /** The conversation as a file, for another engine of this model. Holds what was said, as numbers. */
  export(signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>>;
  /** Likewise as `load`. Whoever made the file decides what the model remembers: import only what comes from whom you trust. */
  import(bytes: Uint8Array, signal?: AbortSignal): Promise<SessionTransfer>;
}
