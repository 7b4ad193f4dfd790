// Conversations through the engine's interface, here and over a port: what callers give is checked, turns are taken, answers cross whole.

import { describe, expect, test } from "vitest";
import type { Conversations, SavedSession, SessionTransfer } from "../engine/session.ts";
import { ShaderloomError } from "../base/errors.ts";
import { FAKE_EOS, fakeSession, type FakeSession } from "../testing/fake_session.ts";
import { portEngine } from "../testing/port_engine.ts";
import { errorCode, typedError } from "../testing/typed_error.ts";
import { createSessionEngine } from "./session_engine.ts";
import type { Engine } from "./types.ts";

interface Fake {
  readonly session: FakeSession & { readonly conversations: () => Promise<Conversations> };
  readonly calls: unknown[][];
}

const saved: SavedSession = { id: "a", model: "fake", savedAt: 1, tokens: 5, bytes: 9, tier: "memory", usable: true };
const moved: SessionTransfer = { tokens: 5, pages: 1, movedPages: 1, ms: 0.5 };

/** Conversations that note what they are asked, and fail while the session runs where they need it for themselves. */
function fake(): Fake {
  const calls: unknown[][] = [];
  const base = fakeSession({ answer: () => [65, 66, 67, FAKE_EOS] });
  const note = async <T>(name: string, args: unknown[], value: T): Promise<T> => {
    calls.push([name, ...args]);
    await new Promise((resolve) => setTimeout(resolve, 1));
    return value;
  };
  const alone = async <T>(name: string, args: unknown[], value: T): Promise<T> => {
    if (base.running) throw new Error("nothing else runs meanwhile");
    return note(name, args, value);
  };
  const conversations: Conversations = {
    save: async ({ id } = {}) => note("save", [id], { ...saved, ...moved }),
    load: async (id) => {
      if (id === "none") throw new ShaderloomError("SESSION.missing", "There is none. Save one first.");
      return alone("load", [id], { ...saved, ...moved });
    },
    list: () => note("list", [], [saved]),
    delete: (id) => note("delete", [id], undefined),
    suspend: (id = "new") => alone("suspend", [id], { id, ...moved }),
    resume: (id) => alone("resume", [id], { id, ...moved }),
    export: () => note("export", [], Uint8Array.of(1, 2, 3)),
    import: (bytes) => alone("import", [[...bytes]], moved),
  };
  return { session: Object.assign(base, { conversations: async () => conversations }), calls };
}

const engines: Array<[name: string, open: () => Promise<Fake & { readonly engine: Engine }>]> = [
  [
    "here",
    async () => {
      const made = fake();
      return { ...made, engine: createSessionEngine(made.session) };
    },
  ],
  [
    "over a port",
    async () => {
      const made = fake();
      return { ...made, engine: (await portEngine(() => made.session)).engine };
    },
  ],
];

describe.each(engines)("%s", (_, open) => {
  test("every method asks the session and gives its answer", async () => {
    const { engine, calls } = await open();
    expect(await engine.saveSession()).toEqual({ ...saved, ...moved });
    expect(await engine.saveSession({ id: "a" })).toEqual({ ...saved, ...moved });
    expect(await engine.loadSession("a")).toEqual({ ...saved, ...moved });
    expect(await engine.sessions()).toEqual([saved]);
    expect(await engine.deleteSession("a")).toBeUndefined();
    expect(await engine.suspendSession()).toEqual({ id: "new", ...moved });
    expect(await engine.suspendSession("b")).toEqual({ id: "b", ...moved });
    expect(await engine.resumeSession("b")).toEqual({ id: "b", ...moved });
    expect(await engine.exportSession()).toEqual(Uint8Array.of(1, 2, 3));
    expect(await engine.importSession(Uint8Array.of(4, 5))).toEqual(moved);
    expect(calls).toEqual([
      ["save", undefined],
      ["save", "a"],
      ["load", "a"],
      ["list"],
      ["delete", "a"],
      ["suspend", "new"],
      ["suspend", "b"],
      ["resume", "b"],
      ["export"],
      ["import", [4, 5]],
    ]);
    await engine.unload();
  });

  test("what is no id, no file, no signal is refused", async () => {
    const { engine, calls } = await open();
    const bad: unknown[] = ["", "x".repeat(201), 5, null, {}];
    for (const id of bad) {
      expect(await errorCode(engine.loadSession(id as string))).toBe("REQUEST.id");
      expect(await errorCode(engine.deleteSession(id as string))).toBe("REQUEST.id");
      expect(await errorCode(engine.resumeSession(id as string))).toBe("REQUEST.id");
      expect(await errorCode(engine.saveSession({ id: id as string }))).toBe("REQUEST.id");
    }
    expect(await errorCode(engine.importSession("abc" as unknown as Uint8Array))).toBe("REQUEST.bytes");
    expect(await errorCode(engine.loadSession("a", { signal: 5 as unknown as AbortSignal }))).toBe("REQUEST.signal");
    expect(await errorCode(engine.saveSession({ ids: "a" } as object))).toBe("REQUEST.ids");
    expect(calls).toEqual([]);
    await engine.unload();
  });

  test("errors of the session come as they are", async () => {
    const { engine } = await open();
    expect(await errorCode(engine.loadSession("none"))).toBe("SESSION.missing");
    await engine.unload();
    expect((await typedError(engine.saveSession())).code).toBe("REQUEST.unloaded");
  });

  test("loading waits for the request that runs, saving does not", async () => {
    const { engine, calls } = await open();
    const stream = await engine.completions.create({ prompt: "x", stream: true });
    let loading: Promise<unknown> | undefined;
    let chunks = 0;
    for await (const chunk of stream) {
      expect(chunk.choices).toHaveLength(1);
      chunks++;
      if (chunks !== 1) continue;
      loading = engine.loadSession("a");
      await engine.saveSession({ id: "meanwhile" });
      expect(calls).toEqual([["save", "meanwhile"]]);
    }
    await loading;
    expect(calls.at(-1)).toEqual(["load", "a"]);
    await engine.unload();
  });
});

test("a session that keeps no conversations says so", async () => {
  const engine = createSessionEngine(fakeSession({ answer: () => [] }));
  expect(await errorCode(engine.sessions())).toBe("UNSUPPORTED.session");
});
