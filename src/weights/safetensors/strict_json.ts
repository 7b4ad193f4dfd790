// A JSON parser for headers of files: it refuses what JSON.parse takes in silence (a key that occurs twice), keeps hostile keys such as
// `__proto__` harmless by giving Maps, and bounds depth. Throws JsonProblem; the caller says which file it was.
// Grammar: RFC 8259.

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | ReadonlyMap<string, JsonValue>;

/** What is wrong, and where in the text. */
export class JsonProblem extends Error {
  readonly at: number;
  /** The key that occurs twice, when that is what is wrong. */
  readonly repeated: string | undefined;

  constructor(at: number, problem: string, repeated?: string) {
    super(problem);
    this.at = at;
    this.repeated = repeated;
  }
}

const maxDepth = 16;
const space = /[ \t\n\r]*/y;
const numeric = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** @throws {JsonProblem} */
export function parseStrictJson(text: string): JsonValue {
  const cursor: Cursor = { text, at: 0 };
  const value = readValue(cursor, 0);
  skipSpace(cursor);
  if (cursor.at < text.length) throw new JsonProblem(cursor.at, "there is more after its end");
  return value;
}

interface Cursor {
  readonly text: string;
  at: number;
}

function take(cursor: Cursor, pattern: RegExp): string | undefined {
  pattern.lastIndex = cursor.at;
  const found = pattern.exec(cursor.text)?.[0];
  if (found !== undefined) cursor.at += found.length;
  return found;
}

function skipSpace(cursor: Cursor): void {
  take(cursor, space);
}

function readValue(cursor: Cursor, depth: number): JsonValue {
  if (depth > maxDepth) throw new JsonProblem(cursor.at, "it is nested too deeply");
  skipSpace(cursor);
  const { text, at } = cursor;
  switch (text[at]) {
    case "{":
      return readObject(cursor, depth);
    case "[":
      return readArray(cursor, depth);
    case '"':
      return readString(cursor);
    default:
      return readLiteral(cursor);
  }
}

function readLiteral(cursor: Cursor): JsonValue {
  const words: ReadonlyArray<readonly [string, JsonValue]> = [
    ["null", null],
    ["true", true],
    ["false", false],
  ];
  for (const [word, value] of words) {
    if (!cursor.text.startsWith(word, cursor.at)) continue;
    cursor.at += word.length;
    return value;
  }
  const digits = take(cursor, numeric);
  if (digits === undefined || digits === "") throw new JsonProblem(cursor.at, "a value is missing");
  return Number(digits);
}

/** Looked for by hand: a pattern's memory would grow with the text. */
function readString(cursor: Cursor): string {
  const { text, at: start } = cursor;
  let escaped = false;
  let at = start + 1;
  for (; text[at] !== '"'; at++) {
    if (at >= text.length || text.charCodeAt(at) < 32) throw new JsonProblem(start, "a text does not end or has control characters");
    if (text[at] !== "\\") continue;
    escaped = true;
    at++;
  }
  cursor.at = at + 1;
  if (!escaped) return text.slice(start + 1, at);
  try {
    return String(JSON.parse(text.slice(start, at + 1)));
  } catch {
    throw new JsonProblem(start, "a text has a wrong escape");
  }
}

function readArray(cursor: Cursor, depth: number): JsonValue[] {
  const items: JsonValue[] = [];
  cursor.at++;
  skipSpace(cursor);
  if (ends(cursor, "]")) return items;
  for (;;) {
    items.push(readValue(cursor, depth + 1));
    if (goesOn(cursor, "]")) continue;
    return items;
  }
}

function readObject(cursor: Cursor, depth: number): Map<string, JsonValue> {
  const entries = new Map<string, JsonValue>();
  cursor.at++;
  skipSpace(cursor);
  if (ends(cursor, "}")) return entries;
  for (;;) {
    skipSpace(cursor);
    const start = cursor.at;
    if (cursor.text[start] !== '"') throw new JsonProblem(start, "a key is missing");
    const key = readString(cursor);
    if (entries.has(key)) throw new JsonProblem(start, "a key occurs twice", key);
    skipSpace(cursor);
    if (!ends(cursor, ":")) throw new JsonProblem(cursor.at, "a colon is missing");
    entries.set(key, readValue(cursor, depth + 1));
    if (goesOn(cursor, "}")) continue;
    return entries;
  }
}

function ends(cursor: Cursor, mark: string): boolean {
  if (cursor.text[cursor.at] !== mark) return false;
  cursor.at++;
  return true;
}

/** After an item: true at a comma, false at the end. */
function goesOn(cursor: Cursor, end: string): boolean {
  skipSpace(cursor);
  if (ends(cursor, ",")) return true;
  if (ends(cursor, end)) return false;
  throw new JsonProblem(cursor.at, "a comma or its end is missing");
}
