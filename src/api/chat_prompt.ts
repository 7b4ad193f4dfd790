// Messages to the prompt of the model's own template: which template, which roles it knows. Text and ids come from text/.

import { ShaderloomError } from "../base/errors.ts";
import type { Session } from "../engine/session.ts";
import { encodeChat } from "../text/chat_prompt.ts";
import type { EncodedChat } from "../text/chat_prompt.ts";
import type { ChatTemplate } from "../text/chat_template.ts";
import type { ChatMessage } from "./chat_request.ts";

function templateOf(session: Session): ChatTemplate {
  if (session.chatTemplate !== undefined) return session.chatTemplate;
  throw new ShaderloomError(
    "TEMPLATE.none",
    "The model's file has no chat template. Load a chat model, or use completions.create with a prompt of your own.",
  );
}

/** `developer` is OpenAI's newer name of `system`; templates that do not know it mean the latter. */
function withKnownRoles(messages: readonly ChatMessage[], template: ChatTemplate): readonly ChatMessage[] {
  if (template.source.includes("developer")) return messages;
  return messages.map((message) => (message.role === "developer" ? { ...message, role: "system" } : message));
}

/**
 * The prompt, ready for the assistant's answer.
 *
 * @throws {ShaderloomError} TEMPLATE.*, LIMIT.text
 */
export function promptOf(session: Session, messages: readonly ChatMessage[], kwargs: Readonly<Record<string, unknown>>): EncodedChat {
  const template = templateOf(session);
  return encodeChat(session.tokenizer, template, withKnownRoles(messages, template), { addGenerationPrompt: true, kwargs });
}
