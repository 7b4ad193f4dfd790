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

interface FakeView extends ChatView {
  /** What a change of each question that is shown leads to. */
  readonly edits: Array<(question: string) => void>;
}

function fakeView(): FakeView {
  const edits: FakeView["edits"] = [];
  const view = {
    edits,
    addTurn(_question: string, onEdit: (question: string) => void) {
      edits.push(onEdit);
      return { append: () => undefined, end: () => undefined };
    },
    removeTurns: (index: number) => void edits.splice(index),
    setNotice: () => undefined,
  };
  return view as unknown as FakeView;
}

test("a changed question takes the place of the one that it was and of all that followed", async () => {
  const view = fakeView();
  const kept: string[] = [];
  const asked: string[] = [];
  const chat: ChatController = new ChatController(view, {
    onAnswering: () => undefined,
    onAnnounce: () => undefined,
    onUsage: () => undefined,
    onFail: () => undefined,
    onEdit: (question) => asked.push(question),
    onTurns: (turns) => kept.push(turns.map(({ question, state }) => `${question} ${state}`).join(", ")),
  });
  chat.restore([{ question: "a", answer: "1", state: "done" }]);
  const model = await modelOf();
  await chat.ask("b", model, defaultSettings);
  const [, editB] = view.edits;
  const answering = chat.ask("c", model, defaultSettings);
  // While an answer is written nothing is changed.
  editB("x");
  await answering;
  expect(asked).toEqual([]);
  expect(chat.turns.map(({ question }) => question)).toEqual(["a", "b", "c"]);
  editB("x");
  expect(asked).toEqual(["x"]);
  expect(chat.turns.map(({ question, answer }) => question + answer)).toEqual(["a1"]);
  expect(view.edits).toHaveLength(1);
  // That question is gone.
  editB("y");
  expect(asked).toEqual(["x"]);
  expect(kept).toEqual(["a done, b waiting", "a done, b done", "a done, b done, c waiting", "a done, b done, c done", "a done"]);
});

test("an answer that fails is not called complete, whatever the one before was", async () => {
  const said: string[] = [];
  const problems: string[] = [];
  const view = fakeView();
  const chat = new ChatController(view, {
    onAnswering: () => undefined,
    onAnnounce: (text) => said.push(text),
    onUsage: () => undefined,
    onEdit: () => undefined,
    onTurns: () => undefined,
    onFail: ({ code }) => problems.push(`${code} beside "${said.at(-1)}"`),
  });
  await chat.ask("Hi", await modelOf(), defaultSettings);
  expect(said).toEqual(["", "The answer is complete."]);
  await chat.ask("Hi", await modelOf(0), defaultSettings);
  expect(problems).toEqual([expect.stringMatching(/ beside ""$/)]);
  expect(said.at(-1)).toBe("");
});
