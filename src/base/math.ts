// Integer arithmetic: the sizes of buffers and grids, and checked forms for numbers read from files.

/** ceil(a / b) for a >= 0, b > 0. */
export function ceilDiv(a: number, b: number): number {
  return Math.floor((a + b - 1) / b);
}

/** The smallest multiple of `alignment` that is >= value. */
export function alignUp(value: number, alignment: number): number {
  return ceilDiv(value, alignment) * alignment;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** a + b, or undefined when the result is no safe integer (numbers from files are hostile until bounded). */
export function checkedAdd(a: number, b: number): number | undefined {
  const sum = a + b;
  return Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(sum) ? sum : undefined;
}

/** a * b, or undefined when the result is no safe integer. */
export function checkedMul(a: number, b: number): number | undefined {
  const product = a * b;
  return Number.isSafeInteger(a) && Number.isSafeInteger(b) && Number.isSafeInteger(product) ? product : undefined;
}
