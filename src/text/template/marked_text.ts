// A string of the template language that knows which of its characters came from the caller's data and which from the
// template: marks are the ranges that came from data. Every operation that cuts or joins keeps them exactly; one that cannot
// marks its whole result, which costs at most a control token and never grants one.

import type { Spans } from "../added_tokens.ts";

const none: Spans = [];

export class MarkedText {
  readonly value: string;
  /** [start, end, ...] in UTF-16 code units, ascending and apart. */
  readonly marks: Spans;

  constructor(value: string, marks: Spans = none) {
    this.value = value;
    this.marks = marks;
  }
}

/** Text of the template itself. */
export function ownText(value: string): MarkedText {
  return new MarkedText(value);
}

/** Text of the caller's data. */
export function foreignText(value: string): MarkedText {
  return value === "" ? new MarkedText("") : new MarkedText(value, [0, value.length]);
}

/** A result of which no character can be traced: foreign when any source is. */
export function derivedText(value: string, sources: readonly MarkedText[]): MarkedText {
  return sources.some(({ marks }) => marks.length > 0) ? foreignText(value) : ownText(value);
}

export function joinTexts(parts: readonly MarkedText[]): MarkedText {
  if (parts.length === 1) return parts[0];
  const marks: number[] = [];
  let length = 0;
  for (const part of parts) {
    for (let i = 0; i < part.marks.length; i += 2) {
      const start = length + part.marks[i];
      const end = length + part.marks[i + 1];
      if (marks.length > 0 && marks[marks.length - 1] === start) marks[marks.length - 1] = end;
      else marks.push(start, end);
    }
    length += part.value.length;
  }
  return new MarkedText(parts.length === 2 ? parts[0].value + parts[1].value : parts.map(({ value }) => value).join(""), marks);
}

/** @param end past the last code unit */
export function sliceText(text: MarkedText, start: number, end: number): MarkedText {
  if (start <= 0 && end >= text.value.length) return text;
  const value = text.value.slice(start, end);
  const marks: number[] = [];
  for (let i = 0; i < text.marks.length; i += 2) {
    const from = Math.max(text.marks[i], start);
    const to = Math.min(text.marks[i + 1], end);
    if (from < to) marks.push(from - start, to - start);
  }
  return new MarkedText(value, marks);
}

/** Code points, as Python counts: [count + 1] the code unit at which each starts, and the end. */
export function characterStarts(value: string): ArrayLike<number> {
  const starts: number[] = [];
  for (let i = 0; i < value.length; i += (value.codePointAt(i) ?? 0) > 0xffff ? 2 : 1) starts.push(i);
  starts.push(value.length);
  return starts;
}

/** Whether code points and code units are the same. */
export function isPlain(value: string): boolean {
  return !/[\ud800-\udfff]/.test(value);
}
