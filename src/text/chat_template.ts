// The chat template of a model: messages to the text of a prompt, as Hugging Face renders it. The only file that loads
// @huggingface/jinja, whose parser is used; template/ runs what it parses. Templates come with model files, so they are run
// within limits and see nothing but the data they are given.

import { asShaderloomError, ShaderloomError } from "../base/errors.ts";
import type { Spans } from "./added_tokens.ts";
import type { Program } from "./template/ast.ts";
import { createGlobals } from "./template/globals.ts";
import { renderProgram } from "./template/interpreter.ts";
import { ownText } from "./template/marked_text.ts";
import type { MarkedText } from "./template/marked_text.ts";
import { limitError, Meter, templateLimits } from "./template/meter.ts";
import { parseTemplate } from "./template/syntax.ts";
import { countCharacters, Dict, List, toValue } from "./template/values.ts";
import type { Value } from "./template/values.ts";

export interface TextPart {
  readonly type: "text";
  readonly text: string;
}

export interface ChatMessage {
  readonly role: string;
  readonly content: string | null | readonly TextPart[];
  readonly name?: string;
  readonly tool_calls?: readonly unknown[];
  readonly tool_call_id?: string;
  readonly reasoning_content?: string;
}

export interface TemplateOptions {
  /** Whether the prompt ends where the assistant's answer begins. */
  readonly addGenerationPrompt?: boolean;
  readonly tools?: readonly unknown[];
  readonly documents?: readonly unknown[];
  /** `chat_template_kwargs`: further variables, such as Qwen3's `enable_thinking`. */
  readonly kwargs?: Readonly<Record<string, unknown>>;
  readonly bosToken?: string;
  readonly eosToken?: string;
  /** What `strftime_now` tells; the present when not given. */
  readonly now?: Date;
}

export interface RenderedChat {
  readonly text: string;
  /** Ranges of `text` that came from the messages and options rather than from the template. */
  readonly untrusted: Spans;
}

export interface ChatTemplate {
  readonly source: string;
  /** @throws {ShaderloomError} TEMPLATE.raised when the template refuses the messages, TEMPLATE.failed, TEMPLATE.limit */
  render(messages: readonly ChatMessage[], options?: TemplateOptions): string;
  /** As `render`, and says which text is whose. */
  renderMarked(messages: readonly ChatMessage[], options?: TemplateOptions): RenderedChat;
}

/**
 * Parses a template once, to render it often.
 *
 * @throws {ShaderloomError} TEMPLATE.syntax with the line; TEMPLATE.limit for one that is too long
 */
export async function compileChatTemplate(source: string): Promise<ChatTemplate> {
  const { tokenize, parse } = await import("@huggingface/jinja");
  const program = parseTemplate(source, { tokenize, parse });
  const renderMarked = (messages: readonly ChatMessage[], options: TemplateOptions = {}): RenderedChat => {
    const { value, marks } = runTemplate(program, messages, options);
    return { text: value, untrusted: marks };
  };
  return { source, renderMarked, render: (messages, options) => renderMarked(messages, options).text };
}

function runTemplate(program: Program, messages: readonly ChatMessage[], options: TemplateOptions): MarkedText {
  try {
    const data = templateData(messages, options);
    const meter = new Meter(templateLimits(messages.length, countCharacters(new List([...data.values()]))));
    return renderProgram(program, new Map([...createGlobals(meter, options.now ?? new Date()), ...data]), meter);
  } catch (error) {
    // The stack can end before the counted limits do where a caller has used most of it.
    if (error instanceof RangeError) throw limitError("nested blocks and expressions", 100);
    throw error instanceof ShaderloomError ? error : asShaderloomError(error, "TEMPLATE.failed");
  }
}

/** Roles that templates write into their control tokens; any other role is the caller's text. */
const knownRoles: ReadonlySet<string> = new Set([
  "system",
  "developer",
  "user",
  "assistant",
  "tool",
  "function",
  "observation",
  "ipython",
  "model",
]);

/** The variables; what was not given stays undefined rather than null, as templates test for both. */
function templateData(messages: readonly ChatMessage[], options: TemplateOptions): Map<string, Value> {
  const data = new Map<string, Value>();
  for (const [name, value] of Object.entries(options.kwargs ?? {})) if (value !== undefined) data.set(name, toValue(value));
  data.set("messages", new List(messages.map(messageValue)));
  data.set("add_generation_prompt", options.addGenerationPrompt ?? false);
  if (options.tools !== undefined) data.set("tools", toValue(options.tools));
  if (options.documents !== undefined) data.set("documents", toValue(options.documents));
  if (options.bosToken !== undefined) data.set("bos_token", ownText(options.bosToken));
  if (options.eosToken !== undefined) data.set("eos_token", ownText(options.eosToken));
  return data;
}

function messageValue(message: ChatMessage): Value {
  const value = toValue(message);
  if (!(value instanceof Dict) || !knownRoles.has(message.role)) return value;
  return new Dict(new Map([...value.entries, ["role", ownText(message.role)]]), true);
}
