// Tables of the sections about attention and the KV cache.
import { align, number } from "./align.mjs";
import { promisesTable } from "./kernel_table.mjs";

/** The least time, and all. */
function timesRow(name, times) {
  return [name, number(Math.min(...times)), times.map((time) => number(time)).join(" ")];
}

/** What was measured of prefixes. */
function prefixTable({ model, tokens, cachedTokens, first, second, ratios }) {
  return [
    `  ${model}, prompts of ${tokens} tokens, of which ${cachedTokens} are in kept pages the second time`,
    align([["first token", "ms", "all rounds"], timesRow("computed", first), timesRow("kept", second)]),
    promisesTable({ ratios }),
  ].join("\n");
}

const tables = { prefix: prefixTable };

/** A table for each section that was measured. */
export function kvTablesOf(kv = {}) {
  return Object.entries(tables).flatMap(([section, table]) => (kv[section] ? [table(kv[section])] : []));
}
