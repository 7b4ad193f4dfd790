// Whether a session still knows facts of its context: a needle at any depth, and questions of a second turn over a shared context (SCBench,
// arXiv:2412.10319), on the model of recall_model.ts.

import type { Session } from "../engine/session.ts";
import { greedySampling } from "../sampling/params.ts";
import { answerToken, factToken, fillerWith, plainKeys, questionToken } from "./recall_model.ts";

/** What filler thinks of the fact: attends to it less than to all else, or more. */
export type Fact = "plain" | "notable";

const plain = { key: 1, value: 3 };
const notable = { key: plainKeys + 1, value: 5 };
const other = { key: 2, value: 6 };
const otherNotable = { key: plainKeys + 2, value: 7 };

/** The token that follows a prompt. */
async function nextToken(session: Session, promptIds: readonly number[]): Promise<number> {
  const request = { promptIds, maxTokens: 1, sampling: greedySampling, stopIds: new Set<number>() };
  for await (const event of session.generate(request)) if (event.kind === "token") return event.id;
  throw new Error("a request gave no token");
}

/** Whether a fact at `depth` (0 to 1) of so many tokens is found by the question behind them. */
export async function needle(session: Session, { tokens, depth, fact }: { tokens: number; depth: number; fact: Fact }): Promise<boolean> {
  const { key, value } = fact === "plain" ? plain : notable;
  const place = Math.round(depth * (tokens - 1));
  const context = fillerWith(tokens, new Map([[place, factToken(key, value)]]), 1 + place);
  return (await nextToken(session, [...context, questionToken(key)])) === answerToken(value);
}

/** What a second turn still knows, when the first asked for one plain fact: that one, another plain one, and one that is attended to. */
export interface SecondTurn {
  readonly first: boolean;
  readonly asked: boolean;
  readonly unasked: boolean;
  readonly unaskedNotable: boolean;
}

/** Facts at 30, 50 and 60 % of so many tokens; between the turns and behind each question comes more filler. */
export async function secondTurn(session: Session, tokens: number): Promise<SecondTurn> {
  const at = (depth: number): number => Math.round(depth * tokens);
  const facts = new Map([
    [at(0.3), factToken(plain.key, plain.value)],
    [at(0.5), factToken(other.key, other.value)],
    [at(0.6), factToken(otherNotable.key, otherNotable.value)],
  ]);
  let seen = fillerWith(tokens, facts, 7);
  const ask = async ({ key, value }: typeof plain): Promise<boolean> => {
    const token = await nextToken(session, [...seen, questionToken(key)]);
    seen = [...seen, questionToken(key), token, ...fillerWith(6, new Map(), seen.length)];
    return token === answerToken(value);
  };
  return { first: await ask(plain), asked: await ask(plain), unasked: await ask(other), unaskedNotable: await ask(otherNotable) };
}
