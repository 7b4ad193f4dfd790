import { describe, expect, test } from "vitest";
import type { SessionReport } from "../index.ts";
import { type ChatEngine, ChatKeeper, readTurns } from "./chat_keeper.ts";
import type { Turn } from "./conversation.ts";

const turns: Turn[] = [
  { question: "a", answer: "1", state: "done" },
  { question: "b", answer: "2", state: "stopped" },
];

function memory(): { readonly kept: Map<string, string>; readonly keeper: ChatKeeper } {
  const kept = new Map<string, string>();
  const keeper = new ChatKeeper(() => ({
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  }));
  return { kept, keeper };
}

function fault(code: string): Error {
  return Object.assign(new Error("Full. Make room."), { code, retryable: false, detail: {} });
}

function report(id: string): SessionReport {
  return { id, model: "m", savedAt: 0, bytes: 0, tier: "memory", usable: true, tokens: 42, pages: 2, movedPages: 1, ms: 1 };
}

/** Notes what it is asked for; `fails` is thrown. */
function engineOf(log: string[], fails?: Error): ChatEngine {
  const answer = async <T>(what: string, value: T): Promise<T> => {
    log.push(`${what} begins`);
    await Promise.resolve();
    log.push(`${what} ends`);
    if (fails) throw fails;
    return value;
  };
  return {
    saveSession: ({ id = "" } = {}) => answer(`save ${id}`, report(id)),
    loadSession: (id) => answer(`load ${id}`, report(id)),
    deleteSession: (id) => answer(`delete ${id}`, undefined),
  };
}

describe("a conversation's text", () => {
  test("is there at the next visit, and gone with the conversation", () => {
    const { keeper, kept } = memory();
    expect(keeper.recall()).toEqual([]);
    expect(keeper.remember(turns)).toBe(true);
    expect(keeper.recall()).toEqual(turns);
    keeper.forget(undefined);
    expect(kept.size).toBe(0);
  });
  test("is read from anything, and what was under way counts as stopped", () => {
    const waiting = { question: "c", answer: "", state: "waiting" };
    expect(readTurns([...turns, waiting, { question: 5, answer: "", state: "done" }, null, "x"])).toEqual([
      ...turns,
      { ...waiting, state: "stopped" },
    ]);
    for (const bad of [null, {}, "text", 5]) expect(readTurns(bad)).toEqual([]);
    const { keeper, kept } = memory();
    keeper.remember(turns);
    for (const key of kept.keys()) kept.set(key, "[{");
    expect(keeper.recall()).toEqual([]);
  });
  test("is not kept where storage is blocked, which is no error", () => {
    const keeper = new ChatKeeper(() => {
      throw new Error("SecurityError");
    });
    expect(keeper.recall()).toEqual([]);
    expect(keeper.remember(turns)).toBe(false);
  });
});

describe("what the model remembers", () => {
  test("is saved, given back and deleted under one name, one after another", async () => {
    const { keeper } = memory();
    const log: string[] = [];
    const engine = engineOf(log);
    const [saved, restored] = await Promise.all([keeper.save(engine), keeper.restore(engine)]);
    expect([saved, restored]).toEqual([undefined, { kind: "remembered", tokens: 42 }]);
    keeper.forget(engine);
    expect(await keeper.save(engine)).toBeUndefined();
    const done = ["save chat", "load chat", "delete chat", "save chat"].flatMap((what) => [`${what} begins`, `${what} ends`]);
    expect(log).toEqual(done);
  });
  test("is lost without harm, and told where there is something to do about it", async () => {
    const { keeper } = memory();
    expect(await keeper.save(engineOf([], fault("QUOTA.full")))).toBe("Full. Make room.");
    expect(await keeper.save(engineOf([], fault("SESSION.evicted")))).toBeUndefined();
    expect(await keeper.restore(engineOf([], fault("SESSION.missing")))).toEqual({ kind: "unread" });
    keeper.forget(engineOf([], fault("SESSION.missing")));
    // What failed before is in nobody's way.
    expect(await keeper.restore(engineOf([]))).toEqual({ kind: "remembered", tokens: 42 });
  });
});
