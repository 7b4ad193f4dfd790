// Messages to the ids of a prompt. The template's text may hold control tokens, the messages' text never: the template is run
// on strings that remember whose characters they are (template/marked_text.ts), and a control token counts only where all of
// its characters are the template's. That is exact whatever a template does with a message: trim it, split it at </think>,
// repeat it, join two of them. Escaping the messages instead fails on each of these, and tokenizing them apart would change
// the merges at their borders; here the runs between control tokens are encoded whole, as the model was trained.

import type { ChatMessage, ChatTemplate, TemplateOptions } from "./chat_template.ts";
import type { Tokenizer } from "./tokenizer.ts";

export interface EncodedChat {
  readonly text: string;
  readonly ids: number[];
}

/**
 * The prompt of a conversation.
 *
 * Content given in parts is joined by line breaks first, since most templates know plain text only. The tokenizer's bos and
 * eos texts are given to the template unless the options name others, and a tokenizer that wants a beginning-of-sequence token
 * gets exactly one.
 *
 * @throws {ShaderloomError} TEMPLATE.raised, .failed, .limit; LIMIT.text
 */
export function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: TemplateOptions = {},
): EncodedChat {
  const { bosId, eosId } = tokenizer;
  const named = {
    ...(bosId === undefined ? {} : { bosToken: tokenizer.tokenText(bosId) }),
    ...(eosId === undefined ? {} : { eosToken: tokenizer.tokenText(eosId) }),
  };
  const { text, untrusted } = template.renderMarked(messages.map(flattenContent), { ...named, ...options });
  const ids = tokenizer.encodeMixed(text, untrusted);
  const wantsBos = tokenizer.addBos && bosId !== undefined && ids[0] !== bosId;
  return { text, ids: wantsBos ? [bosId, ...ids] : ids };
}

function flattenContent(message: ChatMessage): ChatMessage {
  const { content } = message;
  if (content === null || typeof content === "string") return message;
  return { ...message, content: content.map(({ text }) => text).join("\n") };
}
