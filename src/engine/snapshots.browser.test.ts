// A conversation over the end of its engine, in the browser's database: the next engine of the model goes on with the same tokens.

import { expect, test } from "vitest";
import { createEngine, type Engine } from "../index.ts";
import { tinyModel } from "../testing/tiny_model.ts";
import { errorCode } from "../testing/typed_error.ts";

const model = tinyModel({ contextLength: 512 });
const prompt = Array.from({ length: 150 }, (_, index) => (index * 37 + 11) % 256);

async function goOn(engine: Engine, ids: readonly number[], tokens: number): Promise<{ ids: number[]; cached: number }> {
  const request = { prompt: ids, max_tokens: tokens, temperature: 0, logprobs: 1, ignore_eos: true } as const;
  const { choices, usage } = await engine.completions.create(request);
  const [choice] = choices;
  return {
    ids: choice.logprobs?.top.map(([first]) => first.id) ?? [],
    cached: usage?.prompt_tokens_details.cached_tokens ?? -1,
  };
}

test.for([true, false])("with a worker: %s", async (worker) => {
  const id = `test ${crypto.randomUUID()}`;
  const first = await createEngine({ model, worker });
  const answer = await goOn(first, prompt, 8);
  expect(answer.ids).toHaveLength(8);
  const more = [...prompt, ...answer.ids];
  const saved = await first.saveSession({ id });
  expect(saved).toMatchObject({ id, tokens: 157, tier: "indexeddb", usable: true, model: "tiny llama" });
  const file = await first.exportSession();
  const expected = await goOn(first, more, 10);
  expect(expected.cached).toBe(157);
  await first.unload();

  const second = await createEngine({ model, worker });
  expect((await second.sessions()).some((one) => one.id === id && one.usable)).toBe(true);
  expect(await second.loadSession(id)).toMatchObject({ id, tokens: 157, pages: 5, movedPages: 5 });
  expect(await goOn(second, more, 10)).toEqual(expected);
  await second.deleteSession(id);
  expect(await errorCode(second.loadSession(id))).toBe("SESSION.missing");
  await second.unload();

  if (worker) return;
  const third = await createEngine({ model, worker });
  expect(await third.importSession(file)).toMatchObject({ tokens: 157, movedPages: 5 });
  expect(await goOn(third, more, 10)).toEqual(expected);
  await third.unload();
});
