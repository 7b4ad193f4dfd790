// Python's string operations on marked text: those that cut keep the marks, those that rewrite derive them. Each charges the
// meter for the characters it reads or makes.

import { characterStarts, derivedText, isPlain, sliceText } from "./marked_text.ts";
import { MarkedText } from "./marked_text.ts";
import { templateError } from "./meter.ts";
import type { Meter } from "./meter.ts";
import { concatenate } from "./operators.ts";

/** What str.strip() and str.split() take for white space; JavaScript's differs in U+FEFF, U+0085 and U+001C to U+001F. */
function isSpace(unit: string): boolean {
  const code = unit.charCodeAt(0);
  if (code < 0x85) return code === 32 || (code >= 9 && code <= 13) || (code >= 28 && code <= 31);
  return code === 0x85 || (code !== 0xfeff && /\s/.test(unit));
}

/** What a piece of a cut text costs: two objects. */
const pieceSteps = 8;

/** Where str.splitlines() cuts, beside the pair of carriage return and line feed. */
function isLineEnd(unit: string): boolean {
  const code = unit.charCodeAt(0);
  return (code >= 10 && code <= 13) || (code >= 28 && code <= 30) || code === 0x85 || code === 0x2028 || code === 0x2029;
}

/** @param chars the characters to strip; white space when undefined */
export function strip(text: MarkedText, sides: "left" | "right" | "both", options: { chars?: string; meter: Meter }): MarkedText {
  const { chars, meter } = options;
  const value = text.value;
  const strips = chars === undefined ? isSpace : (unit: string): boolean => chars.includes(unit);
  let start = 0;
  let end = value.length;
  if (sides !== "right") while (start < end && strips(value[start])) start++;
  if (sides !== "left") while (end > start && strips(value[end - 1])) end--;
  meter.work(1 + start + value.length - end + (start > 0 || end < value.length ? end - start : 0));
  return sliceText(text, start, end);
}

/** Python's text.split(separator, limit); on white space when the separator is undefined. */
export function split(text: MarkedText, options: { separator?: string; limit: number; meter: Meter }): MarkedText[] {
  const { separator, limit, meter } = options;
  meter.work(text.value.length);
  const most = limit < 0 ? Number.POSITIVE_INFINITY : limit;
  if (separator === undefined) return splitSpaces(text, most, meter);
  if (separator === "") throw templateError("a text cannot be split by an empty separator");
  const parts: MarkedText[] = [];
  let start = 0;
  while (parts.length < most) {
    const at = text.value.indexOf(separator, start);
    if (at < 0) break;
    meter.step(pieceSteps);
    parts.push(sliceText(text, start, at));
    start = at + separator.length;
  }
  parts.push(sliceText(text, start, text.value.length));
  return parts;
}

function splitSpaces(text: MarkedText, most: number, meter: Meter): MarkedText[] {
  const parts: MarkedText[] = [];
  const { value } = text;
  let at = 0;
  for (;;) {
    while (at < value.length && isSpace(value[at])) at++;
    if (at === value.length) return parts;
    meter.step(pieceSteps);
    if (parts.length >= most) return [...parts, sliceText(text, at, value.length)];
    const start = at;
    while (at < value.length && !isSpace(value[at])) at++;
    parts.push(sliceText(text, start, at));
  }
}

/** Python's text.rsplit(separator, limit) for a limit and a separator. */
export function splitFromRight(text: MarkedText, options: { separator?: string; limit: number; meter: Meter }): MarkedText[] {
  const all = split(text, { ...options, limit: -1 });
  const { limit, separator, meter } = options;
  if (limit < 0 || all.length <= limit + 1) return all;
  if (separator === undefined) throw templateError("rsplit needs a separator when its splits are limited");
  const tail = all.slice(all.length - limit);
  const tailLength = tail.reduce((sum, part) => sum + part.value.length + separator.length, 0);
  meter.work(text.value.length);
  return [sliceText(text, 0, text.value.length - tailLength), ...tail];
}

export function splitLines(text: MarkedText, meter: Meter): MarkedText[] {
  meter.work(text.value.length);
  const { value } = text;
  const lines: MarkedText[] = [];
  let start = 0;
  for (let at = 0; at < value.length; at++) {
    if (!isLineEnd(value[at])) continue;
    meter.step(pieceSteps);
    lines.push(sliceText(text, start, at));
    if (value[at] === "\r" && value[at + 1] === "\n") at++;
    start = at + 1;
  }
  if (start < value.length) lines.push(sliceText(text, start, value.length));
  return lines;
}

/** Python's text.replace(old, replacement, limit). */
export function replace(text: MarkedText, options: { old: string; by: MarkedText; limit: number; meter: Meter }): MarkedText {
  const { old, by, limit, meter } = options;
  if (old === "") throw templateError("replacing an empty text is not supported");
  const pieces = split(text, { separator: old, limit, meter });
  return joinWith(pieces, by, meter);
}

export function joinWith(pieces: readonly MarkedText[], separator: MarkedText, meter: Meter): MarkedText {
  if (separator.value === "") return concatenateAll(pieces, meter);
  let length = separator.value.length * Math.max(0, pieces.length - 1);
  for (const piece of pieces) length += piece.value.length;
  meter.length(length);
  const parts: MarkedText[] = [];
  for (const piece of pieces) {
    if (parts.length > 0) parts.push(separator);
    parts.push(piece);
  }
  return concatenateAll(parts, meter);
}

function concatenateAll(parts: readonly MarkedText[], meter: Meter): MarkedText {
  if (parts.length === 0) return new MarkedText("");
  let length = 0;
  for (const part of parts) length += part.value.length;
  meter.length(length);
  meter.step(parts.length);
  meter.work(length);
  return concatenate(parts, meter);
}

/** A rewriting that cannot be traced by character. */
export function rewrite(text: MarkedText, meter: Meter, change: (value: string) => string): MarkedText {
  meter.work(2 * text.value.length);
  const changed = change(text.value);
  return changed === text.value ? text : derivedText(changed, [text]);
}

export function capitalize(value: string): string {
  const [first = ""] = value;
  return first.toUpperCase() + value.slice(first.length).toLowerCase();
}

/** Python's str.title(): every run of letters starts with a capital. */
export function titleCase(value: string): string {
  return value.replaceAll(/\p{L}+/gu, (word) => capitalize(word));
}

/** Code points, as Python's len() counts. */
export function characterCount(text: MarkedText, meter: Meter): number {
  meter.work(text.value.length);
  return isPlain(text.value) ? text.value.length : characterStarts(text.value).length - 1;
}

/** The code point at an index, which may count from the end. */
export function characterAt(text: MarkedText, index: number, meter: Meter): MarkedText | undefined {
  meter.work(text.value.length);
  if (isPlain(text.value)) {
    const at = index < 0 ? index + text.value.length : index;
    return at >= 0 && at < text.value.length ? sliceText(text, at, at + 1) : undefined;
  }
  const starts = characterStarts(text.value);
  const at = index < 0 ? index + starts.length - 1 : index;
  return at >= 0 && at < starts.length - 1 ? sliceText(text, starts[at], starts[at + 1]) : undefined;
}

/** Every code point as a text of its own. */
export function characters(text: MarkedText, meter: Meter): MarkedText[] {
  meter.step(pieceSteps * text.value.length);
  const starts = characterStarts(text.value);
  return Array.from({ length: starts.length - 1 }, (_, i) => sliceText(text, starts[i], starts[i + 1]));
}

export interface SliceBounds {
  readonly start: number | undefined;
  readonly stop: number | undefined;
  readonly step: number;
}

/** Python's slice of a sequence: the indices it takes, in order, as [first, step, count]. */
export function sliceIndices(length: number, { start, stop, step }: SliceBounds): { first: number; count: number } {
  if (step === 0) throw templateError("the step of a slice must not be zero");
  const clamp = (index: number, low: number, high: number): number => Math.min(Math.max(index < 0 ? index + length : index, low), high);
  const first = start === undefined ? (step > 0 ? 0 : length - 1) : clamp(start, step > 0 ? 0 : -1, step > 0 ? length : length - 1);
  const last = stop === undefined ? (step > 0 ? length : -1) : clamp(stop, step > 0 ? 0 : -1, step > 0 ? length : length - 1);
  return { first, count: Math.max(0, Math.ceil((last - first) / step)) };
}

export function sliceCharacters(text: MarkedText, bounds: SliceBounds, meter: Meter): MarkedText {
  meter.work(text.value.length);
  const starts = isPlain(text.value) ? undefined : characterStarts(text.value);
  const unitAt = (index: number): number => (starts === undefined ? index : starts[index]);
  const { first, count } = sliceIndices(starts === undefined ? text.value.length : starts.length - 1, bounds);
  if (bounds.step === 1) return count === 0 ? new MarkedText("") : sliceText(text, unitAt(first), unitAt(first + count));
  // Each character picked on its own costs as much as many read in a row.
  meter.work(count * 32);
  const picked = Array.from({ length: count }, (_, i) => {
    const at = first + i * bounds.step;
    return sliceText(text, unitAt(at), unitAt(at + 1));
  });
  return concatenateAll(picked, meter);
}
