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

/** 1 and "part" → "1 part", 2 → "2 parts". */
export function formatCountOf(count: number, unit: string): string {
  return `${formatCount(count)} ${unit}${count === 1 ? "" : "s"}`;
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

/** 0.414 → "41 %". */
export function formatShare(share: number): string {
  return `${Math.floor(Math.min(1, Math.max(0, share)) * 100)} %`;
}

/** Seconds as people wait for them: 8 → "8 s", 150 → "3 min", 5000 → "1 h 23 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(1, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  return `${Math.floor(minutes / 60)} h${minutes % 60 === 0 ? "" : ` ${minutes % 60} min`}`;
}

/** How long ago a time was, in milliseconds since 1970: "just now", "3 hours ago", "yesterday", "12 days ago". */
export function formatAgo(time: number, now: number): string {
  const minutes = Math.floor((now - time) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${formatCountOf(minutes, "minute")} ago`;
  if (minutes < 24 * 60) return `${formatCountOf(Math.floor(minutes / 60), "hour")} ago`;
  const days = Math.floor(minutes / (24 * 60));
  return days === 1 ? "yesterday" : `${formatCountOf(days, "day")} ago`;
}
