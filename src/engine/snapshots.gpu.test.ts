// A conversation goes on with the same ids after it was saved, suspended or exported and came back, in this session or another; what is there
// already is not moved; what is foreign or damaged is refused before anything changes.

import { describe, expect, test } from "vitest";
import {
  type ConversationOptions as Options,
  goOn,
  openConversations as open,
  seededPrompt as promptOf,
} from "../testing/conversation_session.ts";
import { type Skipper } from "../testing/gpu.ts";
import { greedyIds } from "../testing/oracle.ts";

/** What 12 more tokens are when nothing is saved; the last of an answer is not computed with before it is asked about. */
async function plain(context: Skipper, options: Options, length: number): Promise<{ first: number[]; more: number[] }> {
  const { session } = await open(context, options);
  const first = await greedyIds(session, promptOf(length), 10);
  const more = await greedyIds(session, [...promptOf(length), ...first], 12);
  session.destroy();
  return { first, more };
}

/** Where Node saves nothing, browsers have a database. */
const tier = "indexedDB" in globalThis ? "indexeddb" : "memory";

const forms: Array<[name: string, options: Options]> = [
  ["f32", {}],
  ["f32 in pages of 8", { kv: { pageTokens: 8 } }],
  ["q8_0", { kv: { type: "q8_0" } }],
  ["q4", { kv: { type: "q4" } }],
];

describe.each(forms)("%s", (_, options) => {
  // Inside a page, at its end, and over several.
  test.for([20, 55, 150])("after %i tokens of prompt, the same ids follow however the conversation came back", async (length, context) => {
    const { first, more } = await plain(context, options, length);
    const one = await open(context, options);
    expect(await greedyIds(one.session, promptOf(length), 10)).toEqual(first);
    const tokens = length + 9;
    expect(await one.chats.save({ id: "chat" })).toMatchObject({ id: "chat", tokens, usable: true, tier });
    const file = await one.chats.export();
    const prompt = [...promptOf(length), ...first];

    await greedyIds(one.session, promptOf(80, 5), 3);
    await one.chats.load("chat");
    expect(await goOn(one.session, prompt, 12)).toEqual({ ids: more, cached: tokens });

    const other = await open(context, options);
    await greedyIds(other.session, promptOf(90, 9), 3);
    expect(await other.chats.import(file)).toMatchObject({ tokens, movedPages: expect.any(Number) });
    expect(await goOn(other.session, prompt, 12)).toEqual({ ids: more, cached: tokens });

    await other.chats.suspend("other");
    expect(await goOn(other.session, promptOf(20, 77), 2)).toMatchObject({ cached: 0 });
    await other.chats.resume("other");
    expect((await goOn(other.session, [...prompt, ...more], 1)).cached).toBe(prompt.length + 11);
    one.session.destroy();
    other.session.destroy();
  });
});
