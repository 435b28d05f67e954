// usage: node lint.mjs LINTER FILE
//
// Lints an OpenAPI document with every recommended rule and those below, and
// takes neither errors nor warnings.  LINTER is where npm put the linter.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [linter, file] = process.argv.slice(2);
const { createConfig, lintFromString } =
    createRequire(resolve(linter, 'package.json'))('@redocly/openapi-core');

// None is switched off; these are not among the recommended.
const rules = {
    'no-invalid-media-type-examples': {
        severity: 'error',
        allowAdditionalProperties: false,
    },
    'no-invalid-parameter-examples': 'error',
    'no-invalid-schema-examples': 'error',
    'no-required-schema-properties-undefined': 'error',
    'operation-4xx-problem-details-rfc7807': 'error',
    'operation-tag-defined': 'error',
    'parameter-description': 'error',
};

// What another protocol, that of /v2, says otherwise.
const others = {
    'operation-4xx-problem-details-rfc7807':
        '#/components/responses/OipError',
    'no-path-trailing-slash': '#/paths/~1v2~1',
};
const isOurs = ({ ruleId, location }) =>
    !location.every(({ pointer }) => pointer === others[ruleId]);

const all = await lintFromString({
    source: readFileSync(file, 'utf8'),
    absoluteRef: resolve(file),
    config: await createConfig({ extends: ['recommended'], rules }),
});
const found = all.filter(isOurs);
for (const { ruleId, severity, message, location } of found)
    console.log(`${severity} ${ruleId}: ${message}\n  ` +
        location.map((place) => place.pointer).join(' '));
console.log(`openapi: ${found.length} problems`);
process.exitCode = found.length ? 1 : 0;
