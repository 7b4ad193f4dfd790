// What is moved of conversations and what is not; who else is hurt by saving, and by conversations that cannot be used: nobody.

import { kvTypes } from "../base/kv_types.ts";
import { describe, expect, test } from "vitest";
import {
  type ConversationOptions as Options,
  goOn,
  openConversations as open,
  seededPrompt as promptOf,
} from "../testing/conversation_session.ts";
import { greedySampling } from "../sampling/params.ts";
import { byteAlphabet, tinySpecials } from "../testing/tiny_model.ts";
import { typedError } from "../testing/typed_error.ts";

describe("what is moved", () => {
  test("pages that are stored are not stored again, by whoever they were", async (context) => {
    const { session, chats } = await open(context);
    await goOn(session, promptOf(100), 1);
    expect(await chats.save({ id: "one" })).toMatchObject({ tokens: 100, pages: 4, movedPages: 4 });
    expect(await chats.save({ id: "one" })).toMatchObject({ pages: 4, movedPages: 1 });
    await goOn(session, [...promptOf(100), ...promptOf(60, 3)], 1);
    expect(await chats.save({ id: "one" })).toMatchObject({ tokens: 160, pages: 5, movedPages: 2 });
    // The first 96 tokens of another conversation.
    await goOn(session, [...promptOf(96), ...promptOf(33, 9)], 1);
    expect(await chats.save({ id: "two" })).toMatchObject({ tokens: 129, pages: 5, movedPages: 2 });
    expect((await chats.list()).map(({ id, tokens, usable }) => ({ id, tokens, usable }))).toEqual(
      expect.arrayContaining([
        { id: "one", tokens: 160, usable: true },
        { id: "two", tokens: 129, usable: true },
      ]),
    );
    await chats.delete("one");
    await chats.load("two");
    expect((await goOn(session, [...promptOf(96), ...promptOf(33, 9), 7], 1)).cached).toBe(129);
    expect((await typedError(chats.load("one"))).code).toBe("SESSION.missing");
    session.destroy();
  });

  test("suspending gives pages back, and moves each page once; resuming moves what is not there", async (context) => {
    const { session, chats } = await open(context);
    const { ids } = await goOn(session, promptOf(100), 5);
    expect(await chats.suspend("a")).toMatchObject({ id: "a", tokens: 104, pages: 4, movedPages: 4 });
    expect(session.stats().kvPages).toMatchObject({ used: 0, cached: 0 });
    await goOn(session, promptOf(70, 5), 3);
    expect(await chats.suspend("b")).toMatchObject({ pages: 3, movedPages: 3 });
    expect(await chats.resume("a")).toMatchObject({ tokens: 104, movedPages: 4 });
    const prompt = [...promptOf(100), ...ids];
    const more = await goOn(session, [...prompt, ...promptOf(40, 1)], 3);
    expect(more.cached).toBe(104);
    expect(await chats.suspend("a")).toMatchObject({ tokens: 147, pages: 5, movedPages: 2 });
    expect(await chats.resume("b")).toMatchObject({ movedPages: 3 });
    // What is on the GPU is not moved.
    await goOn(session, promptOf(20, 8), 1);
    expect(await chats.resume("b")).toMatchObject({ movedPages: 0 });
    expect((await typedError(chats.resume("c"))).code).toBe("SESSION.missing");
    await chats.delete("a");
    expect((await typedError(chats.resume("a"))).code).toBe("SESSION.missing");
    session.destroy();
  });

  test("others that begin like a suspended conversation keep what they share", async (context) => {
    const { session, chats } = await open(context);
    const shared = promptOf(64);
    await goOn(session, [...shared, ...promptOf(40, 1)], 1);
    await goOn(session, [...shared, ...promptOf(40, 2)], 1);
    await chats.suspend("second");
    expect((await goOn(session, [...shared, ...promptOf(40, 1), 5], 1)).cached).toBe(104);
    session.destroy();
  });
});

test("saving while tokens are made takes those so far, changes none, and goes on from there", async (context) => {
  const { session, chats } = await open(context);
  const expected = (await goOn(session, promptOf(90), 60)).ids;
  await goOn(session, promptOf(5, 1), 1);
  const saves: Array<Promise<{ tokens: number }>> = [];
  const ids: number[] = [];
  const request = { promptIds: promptOf(90), maxTokens: 60, sampling: greedySampling, stopIds: new Set<number>() };
  for await (const event of session.generate(request)) {
    if (event.kind !== "token") continue;
    ids.push(event.id);
    if (ids.length % 7 === 0) saves.push(chats.save({ id: `after ${ids.length}` }));
  }
  expect(ids).toEqual(expected);
  const saved = await Promise.all(saves);
  expect(saved.map(({ tokens }) => tokens)).toEqual([7, 14, 21, 28, 35, 42, 49, 56].map((count) => 90 + count - 1));
  const other = await open(context);
  for (const count of [7, 28, 49]) {
    await chats.load(`after ${count}`);
    await other.chats.import(await chats.export());
    const again = await goOn(other.session, [...promptOf(90), ...expected.slice(0, count)], 10);
    expect(again).toEqual({ ids: expected.slice(count, count + 10), cached: 89 + count });
  }
  session.destroy();
  other.session.destroy();
});

test.for([...kvTypes])("%s: an exported file has nothing of the conversation that had the pages before", async (type, context) => {
  const { session, chats } = await open(context, { kv: { type, prefixCache: false } });
  const fresh = await open(context, { kv: { type, prefixCache: false } });
  await goOn(session, promptOf(500, 4), 1);
  await goOn(session, promptOf(40), 1);
  await goOn(fresh.session, promptOf(40), 1);
  expect(await chats.export()).toEqual(await fresh.chats.export());
  session.destroy();
  fresh.session.destroy();
});

test("a conversation that a policy has cut is not kept, and none is taken for it", async (context) => {
  const evict = { policy: "window", keep: 96 } as const;
  const long = [...promptOf(130), ...promptOf(60, 3)];
  const { session, chats } = await open(context);
  await goOn(session, long, 1);
  const file = await chats.export();
  session.destroy();
  const fresh = await open(context, { kv: { evict } });
  await fresh.chats.import(file);
  const expected = await goOn(fresh.session, [...long, 5], 6);
  fresh.session.destroy();
  const cut = await open(context, { kv: { evict } });
  await goOn(cut.session, promptOf(130), 4);
  for (const call of [() => cut.chats.save(), () => cut.chats.export(), () => cut.chats.suspend()]) {
    expect((await typedError(call())).code).toBe("SESSION.evicted");
  }
  await cut.chats.import(file);
  expect(await goOn(cut.session, [...long, 5], 6)).toEqual(expected);
  expect(expected.cached).toBe(190);
  cut.session.destroy();
});

describe("what is not used", () => {
  const tokens = [...byteAlphabet(), "th", "he", "in", "an", ...tinySpecials];
  const foreign: Array<[name: string, options: Options, code: string, message: RegExp]> = [
    ["other weights", { tiny: { seed: 2 } }, "SESSION.foreign", /another version of tiny llama/],
    ["other words", { tiny: { metadata: [["tokenizer.ggml.tokens", "string[]", tokens]] } }, "SESSION.foreign", /another version/],
    ["other turns", { tiny: { metadata: [["llama.rope.freq_base", "f32", 20000]] } }, "SESSION.foreign", /another version/],
    ["another architecture", { tiny: { architecture: "qwen3" } }, "SESSION.foreign", /another model, tiny llama/],
    ["weights of another type", { tiny: { format: "q8_0" } }, "SESSION.foreign", /another version/],
    ["another type of keys and values", { kv: { type: "q8_0" } }, "SESSION.layout", /kv\.type: f32/],
    ["another page size", { kv: { pageTokens: 16 } }, "SESSION.layout", /kv\.pageTokens: 32/],
    ["another precision", { activations: "int8" }, "SESSION.layout", /activations: f32/],
  ];
  test.for(foreign)("by an engine with %s, whose own conversation goes on", async ([, options, code, message], context) => {
    const { session, chats } = await open(context);
    await goOn(session, promptOf(100), 1);
    const file = await chats.export();
    session.destroy();
    const other = await open(context, options);
    await goOn(other.session, promptOf(50, 3), 1);
    const error = await typedError(other.chats.import(file));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await goOn(other.session, [...promptOf(50, 3), 9], 1)).cached).toBe(50);
    other.session.destroy();
  });

  test("of a damaged file, wherever the damage is", async (context) => {
    const { session, chats } = await open(context, { tiny: { layers: 1 } });
    await goOn(session, promptOf(40), 1);
    const file = await chats.export();
    await goOn(session, promptOf(50, 3), 1);
    for (let at = 0; at < file.length; at += Math.ceil(file.length / 400)) {
      const bad = file.slice();
      bad[at] ^= 1 << (at % 8);
      expect((await typedError(chats.import(bad))).code).toBe("SESSION.corrupt");
      expect((await typedError(chats.import(file.slice(0, at)))).code).toBe("SESSION.corrupt");
    }
    expect((await typedError(chats.import(new Uint8Array()))).code).toBe("SESSION.corrupt");
    expect((await goOn(session, [...promptOf(50, 3), 9], 1)).cached).toBe(50);
    expect(await chats.import(file)).toMatchObject({ tokens: 40 });
    session.destroy();
  });

  test("after the end", async (context) => {
    const { session, chats } = await open(context);
    await goOn(session, promptOf(20), 1);
    const saving = typedError(chats.save());
    session.destroy();
    expect((await saving).code).toBe("REQUEST.unloaded");
    expect((await typedError(chats.export())).code).toBe("REQUEST.unloaded");
  });

  test("nothing is not saved", async (context) => {
    const { session, chats } = await open(context);
    expect((await typedError(chats.save({ id: "x" }))).code).toBe("SESSION.empty");
    await goOn(session, promptOf(9), 1);
    await chats.suspend("x");
    expect((await typedError(chats.export())).code).toBe("SESSION.empty");
    session.destroy();
  });

  test("an abort changes nothing", async (context) => {
    const { session, chats } = await open(context);
    await goOn(session, promptOf(100), 1);
    const file = await chats.export();
    const signal = AbortSignal.abort();
    const calls = [
      () => chats.save({ id: "aborted", signal }),
      () => chats.export(signal),
      () => chats.import(file, signal),
      () => chats.suspend("aborted", signal),
      () => chats.load("aborted", signal),
    ];
    for (const call of calls) expect((await typedError(call())).code).toBe("AbortError");
    // What other tests saved is there in a browser.
    expect((await chats.list()).map(({ id }) => id)).not.toContain("aborted");
    expect((await goOn(session, [...promptOf(100), 9], 1)).cached).toBe(100);
    session.destroy();
  });
});
