// Numbers as people read them. Units are decimal, as download sizes usually are.

/** 1234567 → "1.2 MB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/** 1234 → "1,234". */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Tokens per second: two significant digits below ten, one decimal below a hundred. */
export function formatRate(perSecond: number): string {
  if (!Number.isFinite(perSecond) || perSecond <= 0) return "–";
  if (perSecond >= 99.95) return formatCount(perSecond);
  return perSecond.toFixed(perSecond < 9.995 ? 2 : 1);
}

/** 180 → "180 ms", 2345 → "2.3 s". */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** 3.5e6 → "3.5M". */
export function formatParameters(count: number): string {
  if (count >= 999.5e6) return `${(count / 1e9).toFixed(1)}B`;
  if (count >= 999_500) return `${(count / 1e6).toFixed(count < 9.95e6 ? 1 : 0)}M`;
  return `${Math.round(count / 1e3)}K`;
}
