// What can be wrong with the set of files of a split model, as typed errors that name the files.

import { ShaderloomError } from "../../base/errors.ts";

/** Names of files, by what is wrong with them. */
export interface ShardProblems {
  readonly missing?: readonly string[];
  readonly foreign?: readonly string[];
  readonly repeated?: readonly string[];
  readonly displaced?: readonly string[];
}

/** MODEL.shards: the files of a split model are not what they should be. */
export function shardsError(what: string, problems: ShardProblems): ShaderloomError {
  const { missing = [], foreign = [], repeated = [], displaced = [] } = problems;
  const lists: ReadonlyArray<readonly [string, readonly string[]]> = [
    ["Missing", missing],
    ["Not of this model", foreign],
    ["There twice", repeated],
    ["Another part than its name says", displaced],
  ];
  const said = lists.filter(([, names]) => names.length > 0).map(([title, names]) => `${title}: ${listed(names)}.`);
  const message = [`${what}.`, ...said, "Give all files of the model together, from one download."].join(" ");
  const detail = { missing: [...missing], foreign: [...foreign], repeated: [...repeated], displaced: [...displaced] };
  return new ShaderloomError("MODEL.shards", message, { detail });
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).join(", ");
  return names.length > 8 ? `${shown} and ${names.length - 8} more` : shown;
}

export function tooManyShards(name: string, count: number, limit: number): ShaderloomError {
  const message = `${name} has ${count} files; the limit is ${limit}. Use a model in fewer files.`;
  return new ShaderloomError("LIMIT.shards", message, { detail: { count, limit } });
}
