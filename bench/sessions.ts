// What saving a conversation costs: the tokens that are made meanwhile, the time until it is stored, and coming back against computing it again.

import { loadSession } from "../src/engine/load.ts";
import type { Session } from "../src/engine/session.ts";
import { greedySampling } from "../src/sampling/params.ts";
import { prompt } from "./model_speed.ts";
import { randomModel } from "./random_model.ts";
import type { Ratio } from "./ratios.ts";
import { median } from "./statistics.ts";

export interface SessionsResult {
  readonly model: string;
  /** Tokens of the conversation when decoding begins, and tokens decoded. */
  readonly tokens: number;
  readonly decoded: number;
  /** Milliseconds of a token, by round: alone, and while one save follows another. */
  readonly alone: readonly number[];
  readonly saving: readonly number[];
  /** Saves in a round, and pages that they moved. */
  readonly saves: number;
  readonly movedPages: number;
  /** Milliseconds: to compute the prompt, to save all of it, to save it again with 64 tokens more, to bring it back from the store. */
  readonly computeMs: number;
  readonly saveMs: number;
  readonly saveMoreMs: number;
  readonly loadMs: number;
  readonly bytes: number;
  readonly ratios: readonly Ratio[];
}

const shape = "small";
const format = "q4_0";
const tokens = 1024;
const decoded = 64;
const rounds = 3;

async function decode(session: Session, promptIds: readonly number[], onToken: () => void = () => undefined): Promise<number> {
  let first = 0;
  let made = 0;
  let last = 0;
  for await (const event of session.generate({ promptIds, maxTokens: decoded, sampling: greedySampling, stopIds: new Set<number>() })) {
    if (event.kind !== "token") continue;
    last = performance.now();
    if (made++ === 0) first = last;
    onToken();
  }
  return (last - first) / (made - 1);
}

export async function measureSessions(gpu: GPU, deviceClass?: "gpu" | "cpu"): Promise<SessionsResult> {
  const session = await loadSession({ model: randomModel(shape, format), gpu, deviceClass, contextLength: 2048 });
  const chats = await session.conversations?.();
  if (!chats) throw new Error("a session has conversations");
  const id = `bench ${crypto.randomUUID()}`;
  try {
    const { vocabSize } = session.info();
    const whole = prompt(tokens, 1, vocabSize);
    const started = performance.now();
    await decode(session, whole);
    const computeMs = performance.now() - started;
    const saved = await chats.save({ id });
    const alone: number[] = [];
    const saving: number[] = [];
    let saves = 0;
    let movedPages = 0;
    let saveMoreMs = 0;
    for (let round = 0; round < rounds; round++) {
      alone.push(await decode(session, whole));
      let last: Promise<unknown> | undefined;
      const saveNext = (): void => {
        last ??= chats.save({ id }).then((report) => {
          saves++;
          movedPages += report.movedPages;
          saveMoreMs = report.ms;
          last = undefined;
        });
      };
      saving.push(await decode(session, whole, saveNext));
      await last;
    }
    const file = await chats.export();
    await decode(session, prompt(64, 2, vocabSize));
    await chats.suspend("other");
    await chats.delete(id);
    session.destroy();
    const other = await loadSession({ model: randomModel(shape, format), gpu, deviceClass, contextLength: 2048 });
    const { ms: loadMs } = (await (await other.conversations?.())?.import(file)) ?? { ms: Number.NaN };
    other.destroy();
    const ratio = {
      name: "saving",
      ours: "a save after another",
      reference: "decoding alone",
      ratio: Math.min(...alone) / Math.min(...saving),
    };
    const ratios = [{ ...ratio, medianRatio: median(alone.map((ms, round) => ms / saving[round])) }];
    const model = `${shape}-${format}`;
    const times = { computeMs, saveMs: saved.ms, saveMoreMs, loadMs };
    return { model, tokens, decoded, alone, saving, saves, movedPages, ...times, bytes: saved.bytes, ratios };
  } finally {
    await chats.delete(id).catch(() => undefined);
    session.destroy();
  }
}
