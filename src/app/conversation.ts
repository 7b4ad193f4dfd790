// A conversation as turns: a question and what came of it. Turns rather than messages, because a template wants user and
// assistant to alternate, also after an answer that failed before its first word.

import type { ChatCompletionMessageParam } from "../index.ts";

/** `waiting`: being answered; `length`: cut at the token limit; `stopped`: by the user; `failed`: by an error. */
export type TurnState = "waiting" | "done" | "length" | "stopped" | "failed";

export interface Turn {
  readonly question: string;
  answer: string;
  state: TurnState;
}

/**
 * The messages that ask the last turn's question. Earlier turns without any answer are left out with their question; answers
 * that were cut short are sent as far as they went.
 */
export function requestMessages(turns: readonly Turn[], systemPrompt: string): ChatCompletionMessageParam[] {
  const messages: ChatCompletionMessageParam[] = [];
  if (systemPrompt.trim() !== "") messages.push({ role: "system", content: systemPrompt });
  for (const turn of turns.slice(0, -1)) {
    if (turn.answer === "") continue;
    messages.push({ role: "user", content: turn.question }, { role: "assistant", content: turn.answer });
  }
  const last = turns.at(-1);
  if (last) messages.push({ role: "user", content: last.question });
  return messages;
}
