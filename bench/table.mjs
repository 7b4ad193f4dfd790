// Prints a bench's result for people.
import { align, number, percent } from "./align.mjs";
import { kvTablesOf } from "./kv_tables.mjs";
import {
  columnsTable,
  dispatchTable,
  kernelTable,
  lutTable,
  matvecSummary,
  peaksTable,
  promisesTable,
  ratiosTable,
} from "./kernel_table.mjs";

function modelTable(models, copy) {
  const head = ["model", "prefill tok/s", "decode tok/s", "encode us", "dispatches", "GB/s", "of copy", "load ms"];
  const rows = models.map((model) => [
    `${model.name} (${model.activations})`,
    `${number(model.prefill.tokensPerSecond)} (${model.prefill.tokens})`,
    `${number(model.decode.tokensPerSecond)} (${model.decode.tokens})`,
    number(model.encodeMs * 1000, 0),
    String(model.dispatches.decode),
    number(model.gigabytesPerSecond, 2),
    percent(copy && model.gigabytesPerSecond / copy.gigabytesPerSecond),
    number(model.loadMs, 0),
  ]);
  return align([head, ...rows]);
}

/** The same files through llama.cpp, and our tokens per second over its. */
function peerTable(peers, models) {
  const head = ["through llama.cpp", "prefill tok/s", "decode tok/s", "ours, prefill", "ours, decode", "engine"];
  const rows = peers.map(({ name, prefill, decode, engine, backend, device, fault }) => {
    if (fault !== undefined) return [name, "-", "-", "-", "-", fault];
    const ours = models.find((model) => model.name === name);
    const over = (phase, theirs) => (ours ? `${(ours[phase].tokensPerSecond / theirs.tokensPerSecond).toFixed(2)} x` : "-");
    const where = `${engine}, ${backend}, ${device}`;
    return [name, number(prefill.tokensPerSecond), number(decode.tokensPerSecond), over("prefill", prefill), over("decode", decode), where];
  });
  return align([head, ...rows]);
}

/** `41.2 / 39.8, +4 %` of what was foretold and found. */
function foretold({ estimated, measured, error }) {
  return `${number(estimated)} / ${number(measured)}, ${error < 0 ? "-" : "+"}${number(Math.abs(error) * 100, 0)} %`;
}

function estimateTable(estimates) {
  const head = ["foretold / found", "GPU MB", "prefill tok/s", "decode tok/s", "verdict ms", "of it probe"];
  const rows = estimates.map(({ name, bytes, prefill, decode, estimateMs, probeMs }) => [
    name,
    foretold({ ...bytes, estimated: bytes.estimated / 1e6, measured: bytes.measured / 1e6 }),
    foretold(prefill),
    foretold(decode),
    number(estimateMs, 0),
    number(probeMs, 0),
  ]);
  return align([head, ...rows]);
}

/** Gaps between the tokens of a long answer, in all and by where they are. */
function steadyTable({ model, tokens, p50, p99, longest, ratio, hundreds, growths, tokensInFlight }) {
  const head = ["gaps from token", "mean ms", "median ms"];
  const rows = hundreds.map(({ from, mean, median }) => [String(from), number(mean, 2), number(median, 2)]);
  const grown = growths.map((growth) => `${number(growth.longest, 2)} ms about position ${growth.position}`);
  return [
    `  ${tokens} tokens of ${model}, ${tokensInFlight} in flight: p50 ${number(p50, 2)} ms, p99 ${number(p99, 2)} ms, ratio ${number(ratio, 2)}`,
    `  longest ${number(longest, 2)} ms; where the pools grow ${grown.join(", ")}`,
    align([head, ...rows]),
  ].join("\n");
}

/** With two decimals, because some are small. */
const percentOf = (share) => `${number(share * 100, 2)} %`;

/** Streamed neurons: bytes and errors by room, and what SwiGLU loses. */
function neuronsTable({ model, tokens, density, repeated, window, room, swiglu }) {
  const errors = ({ blockError, error, divergence, same }) => [
    ...[blockError, error, divergence].map((value) => value.toExponential(1)),
    percentOf(same),
  ];
  const head = ["bytes", "blocks' error", "logits' error", "divergence", "same best"];
  const hits = window.map(
    ({ slots, share, belady }) => `${number(share, 3)} with room for ${slots} (Belady has ${percentOf(belady)} of what is needed)`,
  );
  const rowOf = (name, row, last) => [name, percentOf(row.share), ...errors(row), number(row.runs, 2), last];
  return [
    `  neurons of ${model}, ${tokens} tokens: ${percentOf(density)} of the bundles active, ${percentOf(repeated)} of those at the token before, too`,
    `  hits of the window over Belady's: ${hits.join(", ")}`,
    align([
      ["room for", ...head, "runs", "bundles"],
      ...room.map((row) => rowOf(`${row.slots}${row.again ? ", again" : ""}`, row, percentOf(row.activeBundles))),
    ]),
    `  SwiGLU, text of perplexity ${number(swiglu.perplexity, 3)} with all neurons:`,
    align([
      ["kept, room for", ...head, "runs", "bundles", "perplexity"],
      ...swiglu.rows.map((row) => {
        return [...rowOf(`${percentOf(row.kept)}, ${row.slots}`, row, percentOf(row.activeBundles)), number(row.perplexity, 3)];
      }),
    ]),
  ].join("\n");
}

const mb = (bytes) => `${number(bytes / 1e6)} MB`;

function timeRow(name, { ms, runs }, least) {
  return [name, number(ms), number(least), runs.map((run) => number(run)).join(" ")];
}

/** A streamed model: what there was to do, what it took, and what is promised of that. */
function streamTable({ model, layers, weightBytes, budget, peakBytes, knobs, rate, throttled, missingBytes, prefill, ratios, ...times }) {
  const { compute, token, naive, boundMs, naiveBoundMs, naivePeakBytes, foretoldMs, stallMs } = times;
  const { resident, streamed, frames, prefetch, stagingBytes } = knobs;
  const read = (missingBytes * 1000) / rate;
  const head = ["a token", "ms", "at least", "all rounds"];
  return [
    `  ${model}, ${layers} layers, ${mb(weightBytes)} on the GPU, in ${mb(budget)} (peak ${mb(peakBytes)}; reloading ${mb(naivePeakBytes)})`,
    `  ${resident} layers stay, ${streamed} are read through ${frames} frames, ${number(prefetch, 2)} layers (${mb(stagingBytes)}) ahead`,
    `  ${mb(missingBytes)} a token at ${mb(rate)}/s${throttled ? "" : " (not throttled)"}: ${number(read)} ms; foretold ${number(foretoldMs)} ms, waited ${number(stallMs)} ms`,
    `  prompt of ${prefill.tokens}: ${mb(prefill.bytes)} read, ${number(prefill.passes, 2)} passes, ${number(prefill.ms)} ms (${number(prefill.wholeMs)} ms with all of it there)`,
    align([
      head,
      timeRow("all on the GPU", compute, compute.ms),
      timeRow("streamed", token, boundMs),
      timeRow("reloaded", naive, naiveBoundMs),
    ]),
    promisesTable({ ratios }),
  ].join("\n");
}

function skippedText({ section, measured, skipped }) {
  return `  ${section}: the time was over after ${measured} of ${measured + skipped} measurements; name fewer or give more`;
}

/** Each table after an empty line; those of sections that were not asked for are absent. */
function tablesOf(
  { copy, peaks, ratios, loop, steady, stream, neurons, kv, columns, lut, dispatch, kernels, skipped = [], faults = [], models, estimates },
  peers,
) {
  const tables = [];
  const add = (rows, make) => {
    if (rows !== undefined && rows.length > 0) tables.push(make(rows));
  };
  if (copy) tables.push(`copy: ${number(copy.gigabytesPerSecond, 2)} GB/s read and written (${copy.bytes / 2 ** 20} MiB buffers)`);
  if (peaks) tables.push(peaksTable(peaks));
  if (ratios) tables.push(ratiosTable(ratios));
  if (loop) tables.push(promisesTable(loop));
  if (steady) tables.push(steadyTable(steady));
  if (stream) tables.push(streamTable(stream));
  if (neurons) tables.push(neuronsTable(neurons));
  tables.push(...kvTablesOf(kv));
  add(columns, columnsTable);
  add(lut, lutTable);
  add(dispatch, dispatchTable);
  add(kernels, (rows) => kernelTable(rows, { copy, peaks }));
  const summary = kernels && matvecSummary(kernels, { copy, peaks });
  if (summary) tables.push(summary);
  add(
    skipped.filter((one) => one.skipped > 0),
    (some) => some.map((one) => skippedText(one)).join("\n"),
  );
  add(faults, (some) => ["  variants that are not right here:", ...some.map((fault) => `  ${fault}`)].join("\n"));
  add(models, (some) => modelTable(some, copy));
  add(peers, (some) => peerTable(some, models));
  add(estimates, estimateTable);
  return tables;
}

export function formatReport({ adapter, browser, versions, date, host, result, peers = [] }) {
  const where = browser ?? (versions?.dawn ? `Node, Dawn (${versions.dawn})` : "Node, Dawn");
  const head = [
    `${adapter.description || adapter.architecture || adapter.vendor} (${adapter.deviceClass} programs), ${where}, ${date}`,
    `load average ${host.loadAverage.map((value) => value.toFixed(2)).join(" ")} on ${host.cores} cores, before the run`,
  ];
  return [head.join("\n"), ...tablesOf(result, peers)].join("\n\n");
}
