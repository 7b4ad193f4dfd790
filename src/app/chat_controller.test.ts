// What the page says of an answer to those who hear it: every question starts in silence.
import { expect, test } from "vitest";
import { createSessionEngine } from "../api/session_engine.ts";
import { FAKE_EOS, byteIds, fakeSession } from "../testing/fake_session.ts";
import { ChatController } from "./chat_controller.ts";
import type { ChatView } from "./chat_view.ts";
import type { LoadedModel } from "./model_host.ts";
import { defaultSettings } from "./settings.ts";

async function modelOf(failAt?: number): Promise<LoadedModel> {
  const engine = createSessionEngine(
    fakeSession({ answer: () => [...byteIds("abc"), FAKE_EOS], ...(failAt === undefined ? {} : { failAt }) }),
  );
  return { engine, info: await engine.info(), source: { name: "m", location: "m.gguf" } };
}

test("an answer that fails is not called complete, whatever the one before was", async () => {
  const said: string[] = [];
  const problems: string[] = [];
  const view = { addTurn: () => ({ append: () => undefined, end: () => undefined }) } as unknown as ChatView;
  const chat = new ChatController(view, {
    onAnswering: () => undefined,
    onAnnounce: (text) => said.push(text),
    onUsage: () => undefined,
    onFail: ({ code }) => problems.push(`${code} beside "${said.at(-1)}"`),
  });
  await chat.ask("Hi", await modelOf(), defaultSettings);
  expect(said).toEqual(["", "The answer is complete."]);
  await chat.ask("Hi", await modelOf(0), defaultSettings);
  expect(problems).toEqual([expect.stringMatching(/ beside ""$/)]);
  expect(said.at(-1)).toBe("");
});
