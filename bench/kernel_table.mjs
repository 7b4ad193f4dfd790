// Tables of products and kernels: ratios, the dispatcher, columns, lookups, and everything that models run.
import { align, number, percent } from "./align.mjs";

/** Whether it is a product, of the whole of K or of parts of it. */
function isProduct(kernel) {
  return kernel === "linear";
}

/** Measured rate over what the adapter can, as a share; undefined where one of both is not known. */
export function shares({ kernel, precision, best, gigabytesPerSecond, gigamacsPerSecond }, { copy, peaks }) {
  const peak = peaks && (best?.includes("int8_packed") ? peaks.packedDot : precision === "f16" ? peaks.f16 : peaks.f32);
  return {
    copy: copy && gigabytesPerSecond !== undefined ? gigabytesPerSecond / copy.gigabytesPerSecond : undefined,
    // Other kernels than products multiply too little to be measured by it.
    peak: peak && isProduct(kernel) && gigamacsPerSecond !== undefined ? gigamacsPerSecond / peak : undefined,
  };
}

export function peaksTable({ f32, f16, packedDot }) {
  const rows = [
    ["f32", f32],
    ["f16", f16],
    ["bytes, packed dot", packedDot],
  ].filter(([, rate]) => rate !== undefined);
  return align([["multiply-adds", "G/s"], ...rows.map(([name, rate]) => [name, number(rate)])]);
}

/** What was promised and what was found. */
export function promisesTable({ ratios }) {
  const found = ratios.map(({ name, ours, reference, ratio, goal }) => [
    name,
    `${ratio.toFixed(2)} x`,
    goal === undefined ? "-" : `${goal} x`,
    goal === undefined ? "" : ratio >= goal ? "holds" : "MISSED",
    `${ours} against ${reference}`,
  ]);
  return align([["ratio", "found", "goal", "", "of"], ...found]);
}

export function ratiosTable({ times, ratios }) {
  const timed = times.map(({ product, name, ms, nmse, race }) => [
    `${product}: ${name}`,
    number(ms, 3),
    nmse.toExponential(1),
    race ? "race" : "",
  ]);
  return `${align([["product", "ms", "NMSE", ""], ...timed])}\n\n${promisesTable({ ratios })}`;
}

export function kernelTable(rows, rates) {
  const head = ["kernel", "shape", "type", "rows", "best variant", "ms", "GB/s", "of copy", "GMAC/s", "of peak", "gain", "models"];
  const lines = rows.map((row) => {
    const { copy, peak } = shares(row, rates);
    const { kernel, precision, shape, type = "-", best, ms, gigabytesPerSecond, gigamacsPerSecond, gain, models } = row;
    const name = `${kernel} ${precision}`;
    const past = row.pastTokens > 0 ? `${row.rows} after ${row.pastTokens}` : String(row.rows);
    if (best === undefined) return [name, shape, type, past, "none is right", "", "", "", "", "", "", models.join(" ")];
    const moved = [number(gigabytesPerSecond, 2), percent(copy), number(gigamacsPerSecond, 2), percent(peak)];
    return [name, shape, type, past, best, number(ms, 3), ...moved, gain === undefined ? "-" : gain.toFixed(2), models.join(" ")];
  });
  return align([head, ...lines]);
}

/** Best to worst share of the products that move more than they multiply, the goal's condition being K, N >= 2048. */
export function matvecSummary(rows, rates) {
  const large = rows.filter(({ kernel, phase, shape, ms }) => {
    return isProduct(kernel) && phase === "decode" && ms !== undefined && shape.split(" x ").every((size) => Number(size) >= 2048);
  });
  const lines = ["f32", "f16", "int8"].flatMap((precision) => {
    const own = large.filter((row) => row.precision === precision);
    const found = own.map((row) => shares(row, rates).copy).filter((share) => share !== undefined);
    if (found.length === 0) return [];
    const sorted = found.toSorted((a, b) => a - b);
    return [[precision, String(sorted.length), percent(sorted[0]), percent(sorted[sorted.length >> 1]), percent(sorted.at(-1))]];
  });
  if (lines.length === 0) return undefined;
  return align([["matvec, K and N >= 2048, share of copy", "products", "least", "median", "most"], ...lines]);
}

/** Further from the best than this is a miss. */
const within = 0.95;

export function dispatchTable(rows) {
  const head = ["product", "type", "precision", "rows", "picked", "of best", "offered", "of best", "", "times, ms"];
  const lines = rows.map(({ shape, type, precision, rows: count, picked, offered, share, raced, families }) => [
    shape,
    type,
    precision,
    String(count),
    picked,
    percent(share),
    offered.join(" "),
    percent(raced),
    share >= within ? "" : raced >= within ? "raced" : "MISSED",
    families.map(({ family, ms }) => `${family} ${number(ms, 3)}`).join(", "),
  ]);
  const count = (test) => rows.filter((row) => test(row)).length;
  const far = count(({ share }) => share < within);
  const lost = count(({ raced }) => raced < within);
  return `${align([head, ...lines])}\n  more than 5 % from the best: ${far} of ${rows.length} as picked, ${lost} after a race of what is offered`;
}

export function columnsTable(rows) {
  const head = ["time against one column", "type", "precision", "1, ms", "2", "3", "4", "5", "6", "7", "8"];
  const lines = rows.map(({ shape, type, precision, ms, relative }) => [
    shape,
    type,
    precision,
    number(ms[0], 3),
    ...relative.slice(1).map((one) => one.toFixed(2)),
  ]);
  return align([head, ...lines]);
}

export function lutTable(rows) {
  const head = ["lookups against converting", "type", "precision", "code bits", "file bits", "lookups, ms", "converting, ms", "ratio"];
  const sorted = rows.toSorted((a, b) => a.precision.localeCompare(b.precision) || a.bits - b.bits);
  const lines = sorted.map(({ shape, type, precision, codeBits, bits, lutMs, dequantMs, ratio }) => [
    shape,
    type,
    precision,
    String(codeBits),
    bits.toFixed(2),
    number(lutMs, 3),
    number(dequantMs, 3),
    ratio.toFixed(2),
  ]);
  return align([head, ...lines]);
}
