// Messages to the prompt of the model's own template, as text and as ids. What users wrote never becomes a control token,
// whatever it looks like: the template says which text is its own, and only that may.

import { ShaderloomError } from "../base/errors.ts";
import type { Session } from "../engine/session.ts";
import type { ChatTemplate, RenderedChat } from "../text/chat_template.ts";
import type { ChatMessage } from "./chat_request.ts";

type TemplateArguments = Readonly<Record<string, unknown>>;

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

function render(session: Session, messages: readonly ChatMessage[], kwargs: TemplateArguments): RenderedChat {
  const template = templateOf(session);
  const { tokenizer } = session;
  const textOf = (id: number | undefined): string => (id === undefined ? "" : tokenizer.tokenText(id));
  return template.renderMarked(withKnownRoles(messages, template), {
    addGenerationPrompt: true,
    kwargs,
    bosToken: textOf(tokenizer.bosId),
    eosToken: textOf(tokenizer.eosId),
  });
}

/** The prompt's text, ready for the assistant's answer. @throws {ShaderloomError} TEMPLATE.* */
export function renderMessages(session: Session, messages: readonly ChatMessage[], kwargs: TemplateArguments): string {
  return render(session, messages, kwargs).text;
}

/**
 * The prompt's ids. Most templates write the beginning of sequence themselves; where one does not and the model wants it, it
 * is put before, so that it is there once either way.
 *
 * @throws {ShaderloomError} TEMPLATE.*
 */
export function encodeMessages(session: Session, messages: readonly ChatMessage[], kwargs: TemplateArguments): readonly number[] {
  const { text, untrusted } = render(session, messages, kwargs);
  const { tokenizer } = session;
  const ids = tokenizer.encodeMixed(text, untrusted);
  if (!tokenizer.addBos || tokenizer.bosId === undefined || ids[0] === tokenizer.bosId) return ids;
  return [tokenizer.bosId, ...ids];
}
