/* check_models FOLDER -- whether manifests of Kubernetes and a dashboard of Grafana say what these know.
 *
 * FOLDER has manifests.json (a list of objects) and dashboard.json. Each object becomes a literal of its type: TypeScript
 * finds names that are not there, also misspelt ones, and the model's own check finds values that are no good. */

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const HERE = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/* What JSON has of a type: of an enumeration the words that stand behind its names. */
const PLAIN = `type Plain<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends (infer One)[] ? Plain<One>[] : { [Key in keyof T]: Plain<T[Key]> };`;

function literalOf(object, n) {
  const { apiVersion, kind } = object;
  return `import type { I${kind} as T${n} } from 'kubernetes-models/${apiVersion}/${kind}';
export const v${n}: T${n} = ${JSON.stringify(object, null, 1)};`;
}

function sourceOf(manifests, dashboard) {
  return [
    ...manifests.map(literalOf), PLAIN, `import type { Dashboard } from '@grafana/schema';`,
    `export const dashboard: Plain<Dashboard> = ${JSON.stringify(dashboard, null, 1)};`,
  ].join('\n');
}

/* The file must lie where the types are found from. */
function complaintsOfTypes(source) {
  const file = join(HERE, 'node_modules', '.models.mts');
  writeFileSync(file, source);
  const program = ts.createProgram([file], {
    noEmit: true, strict: true, skipLibCheck: true, target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
  });
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file: of, start }) => {
    const line = of ? of.text.slice(start).split('\n')[0].trim() : '';
    return `${ts.flattenDiagnosticMessageText(messageText, ' ')} at ${line}`;
  });
}

function complaintOfModel(object) {
  const { apiVersion, kind } = object;
  try {
    new (require(`kubernetes-models/${apiVersion}/${kind}`)[kind])(object).validate();
    return [];
  } catch (error) {
    return [`${kind}: ${error.message}`];
  }
}

const [folder] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const manifests = read('manifests.json');
const complaints = [...complaintsOfTypes(sourceOf(manifests, read('dashboard.json'))), ...manifests.flatMap(complaintOfModel)];
console.log(complaints.join('\n') || `${manifests.length} manifests and a dashboard are well-formed`);
process.exitCode = complaints.length > 0 ? 1 : 0;
