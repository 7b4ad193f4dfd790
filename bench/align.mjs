// Cells and columns of the bench's tables.

/** A figure with as many digits as say something; a dash where there is none. */
export function number(value, digits = 1) {
  if (value === undefined) return "-";
  return value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(digits) : value === 0 ? "0" : value.toPrecision(2);
}

export function percent(share) {
  return share === undefined ? "-" : `${number(100 * share, 0)} %`;
}

/** Columns as wide as their widest cell; the first and the last of more than two to the left where they are words. */
export function align(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const isFigure = (column) => rows.slice(1).every((row) => /^([-\d.]|$)/.test(row[column]));
  const right = rows[0].map((_, column) => column > 0 && isFigure(column));
  const pad = (cell, column) => (right[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]));
  return rows.map((row) => `  ${row.map((cell, column) => pad(cell, column)).join("  ")}`.trimEnd()).join("\n");
}
