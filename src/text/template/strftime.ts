// Python's strftime in the C locale and the local time zone, for `strftime_now`.

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const msPerDay = 86_400_000;

function two(value: number, pad = "0"): string {
  return String(value).padStart(2, pad);
}

function dayOfYear(time: Date): number {
  const start = Date.UTC(time.getFullYear(), 0, 0);
  return Math.round((Date.UTC(time.getFullYear(), time.getMonth(), time.getDate()) - start) / msPerDay);
}

/** @returns the text of one directive, or undefined for an unknown one */
function directive(time: Date, letter: string): string | undefined {
  const hour12 = time.getHours() % 12 || 12;
  switch (letter) {
    case "Y":
      return String(time.getFullYear());
    case "y":
      return two(time.getFullYear() % 100);
    case "m":
      return two(time.getMonth() + 1);
    case "d":
      return two(time.getDate());
    case "e":
      return two(time.getDate(), " ");
    case "j":
      return String(dayOfYear(time)).padStart(3, "0");
    case "B":
      return months[time.getMonth()];
    case "b":
    case "h":
      return months[time.getMonth()].slice(0, 3);
    case "A":
      return days[time.getDay()];
    case "a":
      return days[time.getDay()].slice(0, 3);
    case "w":
      return String(time.getDay());
    case "H":
      return two(time.getHours());
    case "I":
      return two(hour12);
    case "M":
      return two(time.getMinutes());
    case "S":
      return two(time.getSeconds());
    case "p":
      return time.getHours() < 12 ? "AM" : "PM";
    case "%":
      return "%";
    default:
      return undefined;
  }
}

/** Unknown directives stay as they are; `-` after the percent sign drops leading zeros. */
export function formatTime(time: Date, format: string): string {
  const expanded = format.replaceAll("%F", "%Y-%m-%d").replaceAll("%T", "%H:%M:%S").replaceAll("%D", "%m/%d/%y");
  return expanded.replaceAll(/%(-?)([A-Za-z%])/g, (whole, dash: string, letter: string) => {
    const text = directive(time, letter);
    if (text === undefined) return whole;
    return dash === "" ? text : text.replace(/^[0 ]+(?=.)/, "");
  });
}
