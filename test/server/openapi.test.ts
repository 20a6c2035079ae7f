// The written description of the API, held against the routes as they are.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { problemStatus } from '../../protocol/api.ts';
import { openApiFile, openApiText } from '../../scripts/openapi.ts';

describe('docs/api/openapi.json', () => {
  it('is what the routes say now', async () => {
    assert.equal(readFileSync(openApiFile, 'utf8'), await openApiText(), 'run `npm run openapi`');
  });

  it('is OpenAPI 3.1 to a validator that is not ours', async () => {
    const result = await new Validator().validate(JSON.parse(readFileSync(openApiFile, 'utf8')));
    assert.deepEqual(result, { valid: true });
  });

  it('describes each operation with its errors, and names who may ask', () => {
    const document = JSON.parse(readFileSync(openApiFile, 'utf8'));
    assert.equal(document.openapi, '3.1.0');
    const operations = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, methods]) =>
      Object.values(methods).map(operation => ({ path, ...operation })),
    );
    assert.equal(new Set(operations.map(operation => operation.operationId)).size, operations.length);
    for (const { path, summary, security, responses } of operations) {
      assert.ok(summary, path);
      assert.ok(responses['500'], path);
      assert.equal(/^\/v1\/(orgs|me)(\/|$)/.test(path), security !== undefined, path);
      assert.equal('401' in responses, security !== undefined, path);
    }
  });

  it('names in each error only codes of that status', () => {
    const document = JSON.parse(readFileSync(openApiFile, 'utf8'));
    for (const methods of Object.values<Record<string, Operation>>(document.paths)) {
      for (const { operationId, responses } of Object.values(methods)) {
        for (const [status, { description }] of Object.entries(responses)) {
          for (const [, code] of Number(status) >= 400 ? description.matchAll(/^`(\w+)`:/gm) : []) {
            assert.equal(problemStatus[code as keyof typeof problemStatus], Number(status), operationId);
          }
        }
      }
    }
  });

  it('points only to what is there', () => {
    const text = readFileSync(openApiFile, 'utf8');
    const document = JSON.parse(text);
    for (const [, kind = '', name = ''] of text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)) {
      assert.ok(document.components[kind]?.[name], `${kind}/${name}`);
    }
  });
});

interface Operation {
  operationId: string;
  summary: string;
  security?: unknown[];
  responses: Record<string, { description: string }>;
}
