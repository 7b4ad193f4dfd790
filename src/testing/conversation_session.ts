// What tests of kept conversations share: a session of a tiny model with what keeps its conversations, and answers with how much of their
// prompt was known.

import { type LoadSessionOptions, loadSession } from "../engine/load.ts";
import type { Session } from "../engine/session.ts";
import type { Conversations } from "../engine/snapshot_types.ts";
import { greedySampling } from "../sampling/params.ts";
import { sharedGpuOrSkip, type Skipper } from "./gpu.ts";
import { tinyModel, type TinyModelOptions } from "./tiny_model.ts";

export type ConversationOptions = Partial<LoadSessionOptions> & { readonly tiny?: TinyModelOptions };

export interface OpenConversations {
  readonly session: Session;
  readonly chats: Conversations;
}

export async function openConversations(context: Skipper, { tiny, ...options }: ConversationOptions = {}): Promise<OpenConversations> {
  const gpu = await sharedGpuOrSkip(context);
  const session = await loadSession({ model: tinyModel({ contextLength: 512, ...tiny }), gpu, ...options });
  const chats = await session.conversations?.();
  if (!chats) throw new Error("a session has conversations");
  return { session, chats };
}

/** Another prompt for each seed. */
export function seededPrompt(length: number, seed = 0): number[] {
  return Array.from({ length }, (_, index) => (index * 37 + 11 + seed) % 256);
}

/** The ids after a prompt, and how many of the prompt's were known. */
export async function goOn(session: Session, promptIds: number[], maxTokens: number): Promise<{ ids: number[]; cached: number }> {
  const ids: number[] = [];
  let cached = -1;
  for await (const event of session.generate({ promptIds, maxTokens, sampling: greedySampling, stopIds: new Set() })) {
    if (event.kind === "prompt") cached = event.cachedTokens;
    if (event.kind === "token") ids.push(event.id);
  }
  return { ids, cached };
}
