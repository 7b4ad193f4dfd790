// The record of an adapter during one load: what it says of the classes, and what is written before and after something runs that may lose
// the device. Knows no store: a shelf is one value that can be read and written.

import { ShaderloomError } from "../base/errors.ts";
import { type Choice, type Choices, noChoices, readChoices, signatureOf, writeChoices } from "./choices.ts";
import { type Contest, trialName } from "./contest.ts";
import type { KernelClass } from "./classes.ts";

// What is raced is in the same chunk as what is known of races.
export { defaultWorth, worthRacing } from "./worth.ts";

/** One value that outlives a load. */
export interface Shelf {
  /** Whether nobody else has it open: only then is what it says of trials about loads that ended, and may it be written. */
  readonly mine: boolean;
  /** Whatever lies there; undefined for nothing, or nothing that can be read. */
  read(): Promise<unknown>;
  /** @param strict  wait until it would survive the machine's end */
  write(value: unknown, strict: boolean): Promise<void>;
  close(): void;
}

export interface Memory {
  /** Whether this load takes no risks: the last one ended while something ran for the first time, or another one is at it now. */
  readonly quiet: boolean;
  /** Drops what lost the device and, unless that is all, chooses what won a race. */
  apply(contest: Contest, what: "drop" | "choose"): void;
  /** What won a race of the class; written by `settle`. */
  remember(cls: KernelClass, choice: Omit<Choice, "signature">): void;
  /** Writes down what runs now. @returns false when that cannot be written: then what need not run must not */
  attempt(trials: readonly string[]): Promise<boolean>;
  /** Writes that the device outlived what was attempted, and the results. */
  settle(): Promise<void>;
  /** Writes what an error says of what was attempted: a lost device was lost under it, whatever else happened it outlived. */
  conclude(error: unknown): Promise<void>;
  close(): void;
}

const lostReason = "the GPU was lost, or the page twice gone, while it ran for the first time";

/** @param shelf  undefined: nothing outlives this load, and nothing is known */
export async function openMemory(shelf: Shelf | undefined): Promise<Memory> {
  const stored = await shelf?.read().catch(() => undefined);
  const before: Choices = readChoices(stored) ?? noChoices;
  const classes = new Map(before.classes);
  const mine = shelf?.mine ?? true;
  const left = mine ? before.trying : [];
  // Once may have been a closed tab; twice is no chance.
  const lost = new Set([...before.lost, ...left.filter((trial) => before.struck.includes(trial))]);
  const struck = new Set([...before.struck, ...left].filter((trial) => !lost.has(trial)));
  let trying: readonly string[] = [];
  let changed = left.length > 0;
  const save = async (strict: boolean): Promise<boolean> => {
    if (!shelf || !mine) return true;
    return shelf.write(writeChoices({ classes, trying, struck: [...struck], lost: [...lost] }), strict).then(
      () => true,
      () => false,
    );
  };
  const settle = async (): Promise<void> => {
    for (const trial of trying) struck.delete(trial);
    trying = [];
    if (changed) await save(false);
    changed = false;
  };
  return {
    quiet: !mine || left.length > 0,
    apply(contest, what) {
      const { cls } = contest;
      for (const variant of cls.variants) {
        // The last one left runs whatever it did: there is nothing else.
        if (lost.has(trialName(cls, variant.key)) && contest.dropped.length < cls.variants.length - 1) contest.drop(variant, lostReason);
      }
      const choice = what === "choose" ? classes.get(cls.key) : undefined;
      if (!choice || choice.signature !== signatureOf(cls)) return;
      const variant = cls.variants.find(({ key }) => key === choice.variant);
      if (!variant || contest.isDropped(variant) || left.includes(trialName(cls, variant.key))) return;
      contest.choose(variant, "stored");
      // 0 is a race without a result.
      if (choice.ms === 0) return;
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
    settle,
    async conclude(error) {
      if (!(error instanceof ShaderloomError) || error.code !== "GPU.lost") return settle();
      for (const trial of trying) lost.add(trial);
      trying = [];
      if (changed) await save(true);
    },
    close: () => shelf?.close(),
  };
}
