// What a filter is; filters.ts and list_filters.ts have them.

import type { Meter } from "./meter.ts";
import type { Arguments, Value } from "./values.ts";

export interface FilterContext {
  readonly args: Arguments;
  readonly meter: Meter;
  /** For filters that apply others: map. */
  readonly apply: (name: string, value: Value, args: Arguments) => Value;
}

export type Filter = (value: Value, context: FilterContext) => Value;
