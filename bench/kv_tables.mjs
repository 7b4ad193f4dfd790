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

/** A row for each type of keys and values under each model. */
function qualityTable({ rows, ratios }) {
  const lines = rows.map(({ model, type, repair, bytesPerThousandTokens, tokens, perplexity, growth }) => {
    const promise = repair === undefined && model === "shaderloom-tiny.gguf" && ratios.find(({ ours }) => ours === type);
    const verdict = promise ? `${(100 * (1 / promise.goal - 1)).toFixed(1)} % ${promise.ratio >= promise.goal ? "holds" : "MISSED"}` : "";
    const name = repair === undefined ? type : `${type} ${repair}`;
    return [
      `${model} ${name}`,
      number(bytesPerThousandTokens / 1000),
      String(tokens),
      perplexity.toFixed(4),
      (100 * growth).toFixed(3),
      verdict,
    ];
  });
  return align([["keys and values", "KB per 1,000", "tokens", "perplexity", "% over f16", "at most"], ...lines]);
}

const tables = { prefix: prefixTable, kv_quality: qualityTable };

/** A table for each section that was measured. */
export function kvTablesOf(kv = {}) {
  return Object.entries(tables).flatMap(([section, table]) => (kv[section] ? [table(kv[section])] : []));
}
