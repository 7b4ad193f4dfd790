// What a template may spend. Templates come with model files, so they are hostile until metered: every step, every character
// touched, every character written and every nesting is counted where it happens, before the work is done.

import { ShaderloomError } from "../../base/errors.ts";

export interface TemplateLimits {
  /** Nodes evaluated, elements made or visited. */
  readonly steps: number;
  /** Characters read or made by string operations. */
  readonly work: number;
  /** Characters of any one string, and of the output. */
  readonly length: number;
  /** Macros, loops and blocks inside one another. */
  readonly depth: number;
  /** Expressions inside one another: the JavaScript stack is what they cost. */
  readonly nesting: number;
}

const baseLimits: TemplateLimits = { steps: 1_000_000, work: 1 << 24, length: 1 << 24, depth: 100, nesting: 600 };
const stepsPerMessage = 2_000;
const workPerCharacter = 64;

/** Long conversations may cost more: their length is the caller's, not the template's. */
export function templateLimits(messages: number, characters: number): TemplateLimits {
  return {
    ...baseLimits,
    steps: baseLimits.steps + stepsPerMessage * messages + characters,
    work: baseLimits.work + workPerCharacter * characters,
    length: baseLimits.length + 2 * characters,
  };
}

/** @throws from every method {ShaderloomError} TEMPLATE.limit once the limit is passed */
export class Meter {
  readonly #limits: TemplateLimits;
  #steps = 0;
  #work = 0;
  #depth = 0;
  #nesting = 0;

  constructor(limits: TemplateLimits) {
    this.#limits = limits;
  }

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > this.#limits.steps) throw limitError("steps", this.#limits.steps);
  }

  /** Characters about to be read or made. */
  work(characters: number): void {
    this.#work += characters;
    if (this.#work > this.#limits.work) throw limitError("characters handled", this.#limits.work);
  }

  /** The length of a string about to be made. */
  length(characters: number): void {
    if (characters > this.#limits.length) throw limitError("characters in one text", this.#limits.length);
  }

  /** Runs a block one level deeper. */
  within<T>(run: () => T): T {
    if (++this.#depth > this.#limits.depth) throw limitError("nested blocks and macros", this.#limits.depth);
    try {
      return run();
    } finally {
      this.#depth--;
    }
  }

  enter(): void {
    if (++this.#nesting > this.#limits.nesting) throw limitError("nested expressions", this.#limits.nesting);
  }

  leave(): void {
    this.#nesting--;
  }
}

export function limitError(what: string, limit: number): ShaderloomError {
  const message = `The chat template does too much (more than ${limit} ${what}). Use another template or another file of this model.`;
  return new ShaderloomError("TEMPLATE.limit", message, { detail: { what, limit } });
}

/** A template that does what it must not: wrong types, unknown filters, undefined names used. */
export function templateError(reason: string): ShaderloomError {
  const message = `The chat template failed on this conversation: ${reason}. Change the messages, or use another template.`;
  return new ShaderloomError("TEMPLATE.failed", message, { detail: { reason } });
}
