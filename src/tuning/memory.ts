// The record of an adapter during one load: what it says of the classes, and what is written before and after something runs that may lose
// the device. Knows no store: a shelf is one value that can be read and written.

import { type Choice, type Choices, noChoices, readChoices, signatureOf, writeChoices } from "./choices.ts";
import { type Contest, trialName } from "./contest.ts";
import type { KernelClass } from "./classes.ts";

/** One value that outlives a load. */
export interface Shelf {
  /** Whatever lies there; undefined for nothing, or nothing that can be read. */
  read(): Promise<unknown>;
  /** @param strict  wait until it would survive the machine's end */
  write(value: unknown, strict: boolean): Promise<void>;
  close(): void;
}

export interface Memory {
  /** Whether the last load ended while something ran for the first time: this one takes no risks. */
  readonly quiet: boolean;
  /** Drops what lost the device and, where the class is worth a race, chooses what won one. */
  apply(contest: Contest, worth: boolean): void;
  /** What won a race of the class; written by `settle`. */
  remember(cls: KernelClass, choice: Omit<Choice, "signature">): void;
  /** Writes down what runs now. @returns false when that cannot be written: then it must not run */
  attempt(trials: readonly string[]): Promise<boolean>;
  /** Writes that it went well, and the results. */
  settle(): Promise<void>;
  close(): void;
}

const lostReason = "the GPU was lost while it ran for the first time";

/** @param shelf  undefined: nothing outlives this load, and nothing is known */
export async function openMemory(shelf: Shelf | undefined): Promise<Memory> {
  const stored = await shelf?.read().catch(() => undefined);
  const before: Choices = readChoices(stored) ?? noChoices;
  const classes = new Map(before.classes);
  const lost = [...new Set([...before.lost, ...before.trying])];
  let trying: readonly string[] = [];
  let changed = before.trying.length > 0;
  const save = async (strict: boolean): Promise<boolean> => {
    if (!shelf) return true;
    return shelf.write(writeChoices({ classes, trying, lost }), strict).then(
      () => true,
      () => false,
    );
  };
  return {
    quiet: before.trying.length > 0,
    apply(contest, worth) {
      const { cls } = contest;
      for (const variant of cls.variants) {
        // The last one left runs whatever it did: there is nothing else.
        if (lost.includes(trialName(cls, variant.key)) && contest.dropped.length < cls.variants.length - 1)
          contest.drop(variant, lostReason);
      }
      const choice = worth ? classes.get(cls.key) : undefined;
      if (!choice || choice.signature !== signatureOf(cls)) return;
      const variant = cls.variants.find(({ key }) => key === choice.variant);
      if (!variant || contest.isDropped(variant)) return;
      contest.choose(variant, "stored");
      contest.measured.set(variant.key, choice.ms);
      if (variant !== cls.variants[0]) contest.measured.set(cls.variants[0].key, choice.defaultMs);
    },
    remember(cls, choice) {
      classes.set(cls.key, { ...choice, signature: signatureOf(cls) });
      changed = true;
    },
    async attempt(trials) {
      if (trials.length === 0) return true;
      trying = trials;
      changed = true;
      return save(true);
    },
    async settle() {
      trying = [];
      if (changed) await save(false);
      changed = false;
    },
    close: () => shelf?.close(),
  };
}
