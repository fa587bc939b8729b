// What is wrong with the scripts named, by ESLint; a line each, as FILE:LINE:COLUMN.
// A browser gets them joined into one module (shared/dashboard/page.py), so they are judged as one: a function that
// another file calls is used, a name that no file defines is unknown, and two files cannot define the same.
const { readFileSync } = require("node:fs");
const { ESLint } = require("eslint");
const js = require("@eslint/js");
const globals = require("globals");

const config = {
  languageOptions: { ecmaVersion: "latest", sourceType: "module", globals: globals.browser },
  linterOptions: { reportUnusedDisableDirectives: "error" },
  rules: {
    ...js.configs.recommended.rules,
    eqeqeq: "error",
    "no-shadow": "error",
    "no-use-before-define": ["error", { functions: false, variables: false }],
    "no-var": "error",
    "prefer-const": "error",
  },
};

/** The lines of all files, each with where it is from. */
function joined(files) {
  return files.flatMap((file) => readFileSync(file, "utf-8").split("\n").map((text, index) => ({ text, place: `${file}:${index + 1}` })));
}

async function main(files) {
  const lines = joined(files);
  const eslint = new ESLint({ overrideConfigFile: true, overrideConfig: config });
  const [{ messages }] = await eslint.lintText(lines.map(({ text }) => text).join("\n"));
  for (const { line, column, message, ruleId } of messages) {
    const text = message.replace(/\bline (\d+)/, (_, other) => lines[other - 1].place);
    console.log(`${lines[line - 1].place}:${column} ${text}${ruleId ? ` (${ruleId})` : ""}`);
  }
  process.exitCode = messages.length ? 1 : 0;
}

main(process.argv.slice(2));
