// Parses a template with @huggingface/jinja's tokenizer and parser, within bounds, and says in which line an error stands.

import { ShaderloomError } from "../../base/errors.ts";
import type { Program } from "./ast.ts";
import { limitError } from "./meter.ts";

/** What is used of @huggingface/jinja. */
export interface JinjaLibrary {
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown[];
  parse(tokens: unknown[]): unknown;
}

const maxCharacters = 1 << 20;
/** Within tags every character costs the tokenizer some 3 us, outside of them next to nothing. */
const maxTagCharacters = 1 << 17;
/** The tokenizer takes quadratic time on a run of white space; this many steps are some 0.1 s. */
const maxSpaceWork = 1 << 25;
/** Tags that are tried one by one to find the one with an error. */
const maxTriedTags = 2000;

/**
 * @throws {ShaderloomError} TEMPLATE.syntax with the line; TEMPLATE.limit for a template that is too long or too deeply nested
 */
export function parseTemplate(source: string, library: JinjaLibrary): Program {
  if (source.length > maxCharacters) throw limitError("characters of source", maxCharacters);
  let spaceWork = 0;
  for (const [run] of source.matchAll(/\s{2,}/g)) spaceWork += run.length ** 2;
  if (spaceWork > maxSpaceWork) throw limitError("characters of white space in a row", Math.floor(Math.sqrt(maxSpaceWork)));
  const tags = findTags(source);
  let tagCharacters = 0;
  for (const { start, end, kind } of tags) if (kind !== "#") tagCharacters += end - start;
  if (tagCharacters > maxTagCharacters) throw limitError("characters inside of tags", maxTagCharacters);
  try {
    return parseSource(source, library);
  } catch (error) {
    if (error instanceof RangeError) throw limitError("levels of nesting in the source", 1000);
    throw syntaxError(error, findErrorLine(source, { tags, library }));
  }
}

interface Tag {
  readonly kind: "{" | "%" | "#";
  readonly start: number;
  readonly end: number;
  /** Whether its end was found; the rest of the source otherwise. */
  readonly closed: boolean;
}

const tagKinds: ReadonlyMap<string, { kind: Tag["kind"]; close: string }> = new Map([
  ["{{", { kind: "{", close: "}}" }],
  ["{%", { kind: "%", close: "%}" }],
  ["{#", { kind: "#", close: "#}" }],
]);

/** Where tags stand, by their delimiters alone; in one pass, as the source may be hostile. */
function findTags(source: string): Tag[] {
  const tags: Tag[] = [];
  for (let at = source.indexOf("{"); at >= 0; at = source.indexOf("{", at)) {
    const found = tagKinds.get(source.slice(at, at + 2));
    if (found === undefined) {
      at++;
      continue;
    }
    const close = source.indexOf(found.close, at + 2);
    const end = close < 0 ? source.length : close + 2;
    tags.push({ kind: found.kind, start: at, end, closed: close >= 0 });
    at = end;
  }
  return tags;
}

function parseSource(source: string, library: JinjaLibrary): Program {
  const program = library.parse(library.tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
  if (!isProgram(program)) throw new SyntaxError("the parser gave no program");
  return program;
}

function isProgram(value: unknown): value is Program {
  return (
    typeof value === "object" &&
    value !== null &&
    "type" in value &&
    value.type === "Program" &&
    "body" in value &&
    Array.isArray(value.body)
  );
}

function syntaxError(error: unknown, line: number | undefined): ShaderloomError {
  // A missing end runs the parser off its tokens, which shows as a TypeError that says nothing.
  const reason =
    error instanceof TypeError || !(error instanceof Error)
      ? "a block or expression does not end"
      : error.message.slice(0, 200).replace(/\.+$/, "");
  const place = line === undefined ? "" : ` in line ${line}`;
  const message = `The chat template has a syntax error${place}: ${reason}. Use another template or another file of this model.`;
  return new ShaderloomError("TEMPLATE.syntax", message, { detail: { line: line ?? null, reason }, cause: error });
}

/** Statements that open a block, and how each is closed. */
const blockEnds: ReadonlyMap<string, string> = new Map(
  ["if", "for", "macro", "call", "filter", "set"].map((name) => [name, `{% end${name} %}`]),
);

/**
 * The parser knows no places, so each tag is parsed alone, as a block of its own: the first that fails is the culprit, else
 * the block that does not end.
 *
 * @returns undefined when the error is too far down to be looked for
 */
function findErrorLine(source: string, { tags, library }: { tags: readonly Tag[]; library: JinjaLibrary }): number | undefined {
  const open: Array<{ name: string; start: number }> = [];
  const lineOf = (start: number): number => source.slice(0, start).split("\n").length;
  for (const tag of tags.slice(0, maxTriedTags)) {
    const text = source.slice(tag.start, tag.end);
    const name = /^\{%-?\s{0,100}(\w+)/.exec(text)?.[1] ?? "";
    if (!tag.closed || !tagFits({ text, name, around: open.at(-1)?.name }, library)) return lineOf(tag.start);
    if (name.startsWith("end") && name !== "endgeneration") open.pop();
    else if (blockEnds.has(name) && !(name === "set" && parses(text, library))) open.push({ name, start: tag.start });
  }
  if (tags.length > maxTriedTags) return undefined;
  return lineOf(open.at(-1)?.start ?? source.length);
}

/** Whether a tag can stand where it does, by itself. */
function tagFits({ text, name, around }: { text: string; name: string; around: string | undefined }, library: JinjaLibrary): boolean {
  if (text.startsWith("{#") || name === "generation" || name === "endgeneration") return true;
  if (name.startsWith("end")) return around === name.slice(3);
  if (name === "else") return around === "if" || around === "for";
  if (name === "elif") return around === "if" && parses(`{% if 1 %}${text}{% endif %}`, library);
  return parses(text, library) || parses(text + (blockEnds.get(name) ?? ""), library);
}

function parses(source: string, library: JinjaLibrary): boolean {
  try {
    parseSource(source, library);
    return true;
  } catch {
    return false;
  }
}
