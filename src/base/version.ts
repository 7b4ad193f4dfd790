// The version of the package, for records that another release should not believe. version.test.ts compares it with package.json.

export const packageVersion = "0.1.0";
