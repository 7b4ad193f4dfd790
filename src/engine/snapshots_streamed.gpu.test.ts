// Conversations of models whose layers are streamed: saved although the budget has no room to spare, and gone on from under another budget.

import { expect, test } from "vitest";
import { sharedGpuOrSkip } from "../testing/gpu.ts";
import { idsOf, layeredModel, leastBudget, openSession, promptOf, request, streamingOf } from "../testing/streamed_session.ts";
import { typedError } from "../testing/typed_error.ts";
import type { GenerateEvent, Session } from "./session.ts";
import type { Conversations } from "./snapshot_types.ts";

async function chatsOf(session: Session): Promise<Conversations> {
  const chats = await session.conversations?.();
  if (!chats) throw new Error("a session has conversations");
  return chats;
}

test("a streamed conversation is saved within the budget, and goes on in another streamed session", async (context) => {
  const gpu = await sharedGpuOrSkip(context);
  const model = layeredModel({ contextLength: 128, hidden: 128, ffn: 344 });
  const least = await leastBudget({ model, gpu });
  const one = await openSession({ model, gpu, memoryBudget: least });
  expect(streamingOf(one).streamed).toBeGreaterThan(0);
  const answer = await idsOf(one, request(promptOf(70), 6));
  const chats = await chatsOf(one);
  expect(await chats.save({ id: "chat" })).toMatchObject({ tokens: 75, pages: 3, movedPages: 3 });
  const file = await chats.export();
  const { peak, total } = one.stats().gpuBytes;
  expect(Math.max(peak, total)).toBeLessThanOrEqual(least);
  const more = await idsOf(one, request([...promptOf(70), ...answer], 5));
  one.destroy();

  const other = await openSession({ model, gpu, memoryBudget: least + 4096 });
  expect(await (await chatsOf(other)).import(file)).toMatchObject({ tokens: 75, movedPages: 3 });
  const events: GenerateEvent[] = [];
  for await (const event of other.generate(request([...promptOf(70), ...answer], 5))) events.push(event);
  expect(events[0]).toMatchObject({ kind: "prompt", cachedTokens: 75 });
  expect(events.flatMap((event) => (event.kind === "token" ? [event.id] : []))).toEqual(more);
  other.destroy();
  // Weights that did not all go by cannot be told from others by themselves.
  const fine = layeredModel({ contextLength: 128, hidden: 128, ffn: 344, seed: 2 });
  const foreign = await openSession({ model: fine, gpu, memoryBudget: least });
  expect((await typedError((await chatsOf(foreign)).import(file))).code).toBe("SESSION.foreign");
  foreign.destroy();
});
