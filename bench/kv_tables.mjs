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

/** Prompts in tiles and with all scores, and tokens after ever more of them. */
function attentionTable({ shape, times, ratios }) {
  const lines = times.map(({ name, tokens, ms, bytes }) => [
    name,
    String(tokens),
    number(ms, 3),
    bytes === undefined ? "" : number(bytes / 1e6, 2),
  ]);
  return [
    `  ${shape.heads} heads of ${shape.headDim} over ${shape.kvHeads} of keys and values`,
    align([["attention", "tokens", "ms", "MB"], ...lines]),
    promisesTable({ ratios }),
  ].join("\n");
}

/** A row for each type of keys and values under each model. */
function qualityTable({ rows, ratios, policies = [] }) {
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
  const table = align([["keys and values", "KB per 1,000", "tokens", "perplexity", "% over f16", "at most"], ...lines]);
  return policies.length === 0 ? table : `${table}\n${policyQualityTable(policies)}`;
}

/** A row for each policy and what it keeps, under each model. */
function policyQualityTable(policies) {
  const lines = policies.map(({ model, policy, keep, length, dropped, tokens, perplexity, growth }) => [
    `${model} ${policy}${keep === null ? "" : `, keep ${keep}`}`,
    `${dropped} of ${length}`,
    String(tokens),
    perplexity.toFixed(4),
    (100 * growth).toFixed(3),
  ]);
  return align([["policy", "dropped", "scored", "perplexity", "% over none"], ...lines]);
}

/** What was measured of saving. */
function sessionsTable({ model, tokens, decoded, alone, saving, saves, movedPages, computeMs, saveMs, saveMoreMs, loadMs, bytes }) {
  return [
    `  ${model}, a conversation of ${tokens} tokens (${number(bytes / 1e6)} MB) and ${decoded} more; ${saves} saves moved ${movedPages} pages`,
    align([["a token", "ms", "all rounds"], timesRow("alone", alone), timesRow("while saving", saving)]),
    align([
      ["ms to", "compute", "save", "save what is new", "bring back"],
      ["", ...[computeMs, saveMs, saveMoreMs, loadMs].map((ms) => number(ms))],
    ]),
  ].join("\n");
}

function known(right) {
  return right ? "yes" : "no";
}

/** What policies still know, and how long moving tokens takes. */
function policiesTable({ tokens, keep, depths, recall, times }) {
  const rows = recall.map(({ policy, type, plain, notable, secondTurn }) => [
    `${policy} ${type}`,
    `${plain} of ${depths}`,
    `${notable} of ${depths}`,
    ...["first", "asked", "unasked", "unaskedNotable"].map((turn) => known(secondTurn[turn])),
  ]);
  const heads = ["policy", "needle", "noticed needle", "first question", "asked again", "another fact", "another noticed fact"];
  const moved = times.map(({ policy, keep: held, evictionMs, stepMs }) => [`${policy}, ${held} held`, number(evictionMs), number(stepMs)]);
  return [
    `  ${tokens} tokens, of which ${keep} are kept`,
    align([heads, ...rows]),
    align([["dropping tokens", "ms", "a step without"], ...moved]),
  ].join("\n");
}

const tables = {
  attention: attentionTable,
  prefix: prefixTable,
  sessions: sessionsTable,
  kv_quality: qualityTable,
  kv_policies: policiesTable,
};

/** A table for each section that was measured. */
export function kvTablesOf(kv = {}) {
  return Object.entries(tables).flatMap(([section, table]) => (kv[section] ? [table(kv[section])] : []));
}
