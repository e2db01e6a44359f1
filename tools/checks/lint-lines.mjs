// Reads [[file, text], ...] as JSON from standard input; prints the rules that each text would break if it stood in that file.
// A process of its own because eslint's loader does not run inside jest's module registry.
import { text } from 'node:stream/consumers';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';

const eslint = new ESLint({
  // The rules asked about need no type information, and the texts are in no TypeScript program.
  overrideConfig: [tseslint.configs.disableTypeChecked, { languageOptions: { parserOptions: { project: null } } }],
});
const answers = [];
for (const [filePath, line] of JSON.parse(await text(process.stdin))) {
  const [result] = await eslint.lintText(`${line}\n`, { filePath });
  answers.push(result.messages.map((message) => message.ruleId ?? message.message));
}
console.log(JSON.stringify(answers));
