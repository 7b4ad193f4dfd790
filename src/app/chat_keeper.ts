// Keeps the conversation over a reload: its text in the browser's storage, and what the model remembers of it with the engine, so that it
// need not be read again. Of several tabs the one that wrote last is kept. Shows nothing itself.

import type { Engine } from "../index.ts";
import type { Turn, TurnState } from "./conversation.ts";
import { asProblem } from "./problem.ts";
import type { SettingsStorage } from "./settings.ts";

/** What of an engine keeps conversations. */
export type ChatEngine = Pick<Engine, "saveSession" | "loadSession" | "deleteSession">;

/** `remembered`: it goes on from there; `unread`: the text alone is back, and is read again with the next question. */
export type Recalled = { readonly kind: "remembered"; readonly tokens: number } | { readonly kind: "unread" };

const storageKey = "shaderloom.chat";
/** The page has one conversation. */
const sessionId = "chat";
const states: ReadonlySet<string> = new Set<TurnState>(["done", "length", "stopped", "failed"]);
const mostTurns = 10_000;

/** Turns from anything: what is none is dropped, what was under way counts as stopped. */
export function readTurns(value: unknown): Turn[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, mostTurns).flatMap((one: unknown): Turn[] => {
    if (typeof one !== "object" || one === null) return [];
    const { question, answer, state }: { question?: unknown; answer?: unknown; state?: unknown } = one;
    if (typeof question !== "string" || typeof answer !== "string" || typeof state !== "string") return [];
    return [{ question, answer, state: isState(state) ? state : "stopped" }];
  });
}

function isState(state: string): state is TurnState {
  return states.has(state);
}

export class ChatKeeper {
  readonly #storage: () => SettingsStorage & Pick<Storage, "removeItem">;
  /** Saves and deletions of the engine's, one after another. */
  #last: Promise<unknown> = Promise.resolve();

  /** @param storage  may throw: it can be blocked */
  constructor(storage: () => SettingsStorage & Pick<Storage, "removeItem">) {
    this.#storage = storage;
  }

  /** The turns of the last visit. */
  recall(): Turn[] {
    try {
      return readTurns(JSON.parse(this.#storage().getItem(storageKey) ?? "[]"));
    } catch {
      return [];
    }
  }

  /** @returns whether the text is kept */
  remember(turns: readonly Turn[]): boolean {
    try {
      if (turns.length === 0) this.#storage().removeItem(storageKey);
      else this.#storage().setItem(storageKey, JSON.stringify(turns));
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Keeps what the model remembers. Never rejects.
   * @returns why it is not kept, where storage is to blame: then a person can do something about it
   */
  async save(engine: ChatEngine): Promise<string | undefined> {
    try {
      await this.#after(() => engine.saveSession({ id: sessionId }));
      return undefined;
    } catch (thrown) {
      const { code, message } = asProblem(thrown);
      return /^(QUOTA|STORE)/.test(code) ? message : undefined;
    }
  }

  /** Gives the model back what it remembered. Never rejects: the text alone is enough to go on. */
  async restore(engine: ChatEngine): Promise<Recalled> {
    try {
      const { tokens } = await this.#after(() => engine.loadSession(sessionId));
      return { kind: "remembered", tokens };
    } catch {
      // Of another model, gone or damaged.
    }
    return { kind: "unread" };
  }

  /** Forgets the conversation; without an engine its text alone. */
  forget(engine: ChatEngine | undefined): void {
    this.remember([]);
    // There may be none.
    if (engine) void this.#after(() => engine.deleteSession(sessionId)).catch(() => undefined);
  }

  async #after<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#last.then(run, run);
    this.#last = next;
    return next;
  }
}
