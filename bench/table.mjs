// Prints a bench's result for people.

const number = (value, digits = 1) =>
  value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(digits) : value === 0 ? "0" : value.toPrecision(2);

/** Columns as wide as their widest cell; all but the first to the right. */
function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]));
  return rows.map((row) => `  ${row.map((cell, column) => pad(cell, column)).join("  ")}`.trimEnd()).join("\n");
}

function share(gigabytesPerSecond, copy) {
  return copy ? `${number((100 * gigabytesPerSecond) / copy.gigabytesPerSecond, 0)} %` : "-";
}

function modelTable(models, copy) {
  const head = ["model", "prefill tok/s", "decode tok/s", "encode us", "dispatches", "GB/s", "of copy", "load ms"];
  const rows = models.map((model) => [
    `${model.name} (${model.activations})`,
    `${number(model.prefill.tokensPerSecond)} (${model.prefill.tokens})`,
    `${number(model.decode.tokensPerSecond)} (${model.decode.tokens})`,
    number(model.encodeMs * 1000, 0),
    String(model.dispatches.decode),
    number(model.gigabytesPerSecond, 2),
    share(model.gigabytesPerSecond, copy),
    number(model.loadMs, 0),
  ]);
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

function matvecTable({ n, k, rows }, copy) {
  const head = [`matvec ${n} x ${k}`, "ms", "GB/s", "of copy"];
  return align([
    head,
    ...rows.map((row) => [row.name, number(row.ms, 2), number(row.gigabytesPerSecond, 2), share(row.gigabytesPerSecond, copy)]),
  ]);
}

export function formatReport({ adapter, browser, date, host, result }) {
  const { copy, matvec, models, estimates } = result;
  const where = browser ?? "Node, Dawn";
  const parts = [
    `${adapter.description || adapter.architecture || adapter.vendor} (${adapter.deviceClass} programs), ${where}, ${date}`,
    `load average ${host.loadAverage.map((value) => value.toFixed(2)).join(" ")} on ${host.cores} cores, before the run`,
  ];
  if (copy) parts.push("", `copy: ${number(copy.gigabytesPerSecond, 2)} GB/s read and written (${copy.bytes / 2 ** 20} MiB buffers)`);
  if (matvec) parts.push("", matvecTable(matvec, copy), `  ratio to the tree reduction: ${number(matvec.ratio, 2)}`);
  if (models.length > 0) parts.push("", modelTable(models, copy));
  if (estimates.length > 0) parts.push("", estimateTable(estimates));
  return parts.join("\n");
}
