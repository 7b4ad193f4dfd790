// Validates a request to `chat.completions.create` and copies its messages into plain data. No template is run here.

import {
  checkArray,
  checkString,
  copyJson,
  copyRecord,
  isRecord,
  optionalBoolean,
  optionalNumber,
  readFields,
  requestError,
} from "./fields.ts";
import type { Fields } from "./fields.ts";
import { MAX_TEXT_LENGTH, readMaxTokens, readShared, sharedFieldNames } from "./sampling_request.ts";
import type { RequestLimits, SharedRequest } from "./sampling_request.ts";
import type { ChatCompletionMessageParam } from "./types.ts";

const FIELD_NAMES = [
  ...sharedFieldNames,
  "messages",
  "max_tokens",
  "max_completion_tokens",
  "logprobs",
  "top_logprobs",
  "chat_template_kwargs",
];

const ROLES = ["system", "developer", "user", "assistant", "tool"] as const;
const MAX_MESSAGES = 65_536;
const MAX_TOP_LOGPROBS = 20;

/** Names the engine itself gives to a template; a request must not replace them. */
const RESERVED_KWARGS = ["messages", "add_generation_prompt", "bos_token", "eos_token", "raise_exception", "strftime_now"];

/** A message as a template gets it: content is one string, or null beside tool calls. */
export type ChatMessage = ChatCompletionMessageParam & { readonly content: string | null };

export interface ParsedChatRequest extends SharedRequest {
  readonly messages: readonly ChatMessage[];
  /** Undefined: what is left of the context. */
  readonly maxTokens: number | undefined;
  /** How many alternatives to report per token; undefined for no log-probabilities at all. */
  readonly logprobs: number | undefined;
  readonly templateKwargs: Readonly<Record<string, unknown>>;
}

function checkPartType(type: unknown, path: string): void {
  if (type !== "text") throw requestError(`${path}.type`, '"text", the only type of content part supported here', type);
}

/** Text parts become one string with a newline between them: most templates know only strings. */
function readContent(value: unknown, path: string, role: string): string | null {
  if (typeof value === "string") return checkString(value, path, MAX_TEXT_LENGTH);
  if ((value === null || value === undefined) && role === "assistant") return null;
  if (!Array.isArray(value)) throw requestError(path, "a string or an array of text parts", value);
  const texts = checkArray(value, path, 4096).map((part, i) => {
    const partPath = `${path}[${i}]`;
    // Before its fields: those of an image or a file are unknown here, and its type is what the caller has to change.
    if (isRecord(part) && Object.hasOwn(part, "type")) checkPartType(part.type, partPath);
    const fields = readFields(part, partPath, ["type", "text"]);
    checkPartType(fields.get("type"), partPath);
    return checkString(fields.get("text"), `${partPath}.text`, MAX_TEXT_LENGTH);
  });
  return texts.join("\n");
}

function readToolCalls(value: unknown, path: string): unknown[] {
  return checkArray(value, path, 256).map((call, i) => {
    const callPath = `${path}[${i}]`;
    const fields = readFields(call, callPath, ["id", "type", "function"]);
    const called = readFields(fields.get("function"), `${callPath}.function`, ["name", "arguments"]);
    checkString(called.get("name"), `${callPath}.function.name`, 256);
    if (fields.get("id") !== undefined) checkString(fields.get("id"), `${callPath}.id`, 256);
    if (fields.get("type") !== undefined && fields.get("type") !== "function") {
      throw requestError(`${callPath}.type`, '"function"', fields.get("type"));
    }
    return copyJson(call, callPath);
  });
}

const MESSAGE_FIELDS = ["role", "content", "name", "tool_call_id", "tool_calls", "reasoning_content"];

function readMessage(value: unknown, path: string): ChatMessage {
  const fields: Fields = readFields(value, path, MESSAGE_FIELDS);
  const role = ROLES.find((known) => known === fields.get("role"));
  if (role === undefined) throw requestError(`${path}.role`, `one of ${ROLES.join(", ")}`, fields.get("role"));
  const text = (name: string): Record<string, string> => {
    const field = fields.get(name);
    return field === undefined || field === null ? {} : { [name]: checkString(field, `${path}.${name}`, MAX_TEXT_LENGTH) };
  };
  const calls = fields.get("tool_calls");
  return {
    role,
    content: readContent(fields.get("content"), `${path}.content`, role),
    ...text("name"),
    ...text("tool_call_id"),
    ...text("reasoning_content"),
    ...(calls === undefined || calls === null ? {} : { tool_calls: readToolCalls(calls, `${path}.tool_calls`) }),
  };
}

/** @throws {ShaderloomError} REQUEST.messages */
export function parseMessages(value: unknown): readonly ChatMessage[] {
  const list = checkArray(value, "messages", MAX_MESSAGES);
  if (list.length === 0) throw requestError("messages", "an array with at least one message", value);
  return list.map((message, i) => readMessage(message, `messages[${i}]`));
}

/** @throws {ShaderloomError} REQUEST.chat_template_kwargs */
export function parseTemplateKwargs(value: unknown): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {};
  const path = "chat_template_kwargs";
  if (!isRecord(value)) throw requestError(path, "an object of values for the chat template", value);
  for (const name of RESERVED_KWARGS) {
    if (Object.hasOwn(value, name)) throw requestError(`${path}.${name}`, "absent, because the engine sets it", "a value");
  }
  return copyRecord(value, path);
}

/** @throws {ShaderloomError} REQUEST.<field> */
export function parseChatRequest(request: unknown, limits: RequestLimits): ParsedChatRequest {
  const fields = readFields(request, "", FIELD_NAMES);
  const newName = readMaxTokens(fields, "max_completion_tokens", 1);
  const oldName = readMaxTokens(fields, "max_tokens", 1);
  if (newName !== undefined && oldName !== undefined && newName !== oldName) {
    throw requestError("max_tokens", "equal to max_completion_tokens or left out", oldName);
  }
  const logprobs = optionalBoolean(fields, "logprobs") ?? false;
  const top = optionalNumber(fields, "top_logprobs", { min: 0, max: MAX_TOP_LOGPROBS, integer: true });
  if (top !== undefined && !logprobs) throw requestError("top_logprobs", "left out unless logprobs is true", top);
  return {
    ...readShared(fields, limits),
    messages: parseMessages(fields.get("messages")),
    maxTokens: newName ?? oldName,
    logprobs: logprobs ? (top ?? 0) : undefined,
    templateKwargs: parseTemplateKwargs(fields.get("chat_template_kwargs")),
  };
}
