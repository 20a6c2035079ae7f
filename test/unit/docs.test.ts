// The documents keep their word: what they quote exists.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withFigures } from '../../bench/support/document.ts';

const tests = globSync('test/**/*.test.ts')
  .map(file => readFileSync(file, 'utf8'))
  .join('\n');

const tables: ReadonlyArray<readonly [file: string, letter: string, rows: number]> = [
  ['docs/security.md', 'T', 42],
  ['docs/reliability.md', 'F', 72],
];
for (const [file, letter, count] of tables) {
  describe(file, () => {
    const rows = readFileSync(file, 'utf8')
      .split('\n')
      .filter(line => line.startsWith(`| ${letter}`));

    it('speaks of each row, in order', () => {
      const numbers = rows.flatMap(row =>
        [...(row.split('|')[1] ?? '').matchAll(new RegExp(`${letter}(\\d+)`, 'g'))].map(match =>
          Number(match[1]),
        ),
      );
      deepEqual(
        [...new Set(numbers)],
        Array.from({ length: count }, (_, index) => index + 1),
      );
    });

    for (const row of rows) {
      for (const [, title = ''] of (row.split('|')[4] ?? '').matchAll(/`([^`]+)`/g)) {
        it(`quotes a test that exists: ${title}`, () => ok(tests.includes(title), title));
      }
    }
  });
}

describe('docs/performance.md', () => {
  const text = readFileSync('docs/performance.md', 'utf8');

  it('has the figures that the benches wrote down', () =>
    equal(text, withFigures(text), 'npm run bench:docs writes them'));

  it('explains each row', () => {
    const explained = [...text.matchAll(/^\| (`[^|]+`) \|[^|]+\|$/gm)]
      .flatMap(match => (match[1] ?? '').split(', '))
      .map(name => new RegExp(`^${name.replaceAll('`', '').replace('*', '.*')}$`));
    const rows = [...text.matchAll(/^\| `([^`]+)` \|[^|]+\|[^|]+\|[^|]*\|$/gm)].map(match => match[1] ?? '');
    deepEqual(
      rows.filter(row => !explained.some(name => name.test(row))),
      [],
    );
  });
});

describe('links between documents', () => {
  for (const file of globSync(['*.md', 'docs/**/*.md', 'server/*.md'])) {
    it(`lead somewhere in ${file}`, () => {
      const links = [...readFileSync(file, 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(
        match => match[1] ?? '',
      );
      deepEqual(
        links.filter(link => !existsSync(join(dirname(file), link))),
        [],
      );
    });
  }
});

describe('README.md', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

  it('names only commands that exist', () => {
    const named = [
      ...readFileSync('README.md', 'utf8').matchAll(/`?npm run ([a-z:0-9]+)|`(test:[a-z0-9]+)`/g),
    ];
    ok(named.length > 5);
    deepEqual(
      named.map(match => match[1] ?? match[2] ?? '').filter(name => !(name in scripts)),
      [],
    );
  });

  it('tells of every setting and every context key, and of no other', () => {
    const { contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      contributes: { configuration: { properties: object } };
    };
    const source = globSync('src/**/*.ts')
      .map(file => readFileSync(file, 'utf8'))
      .join('\n');
    const keys = [...source.matchAll(/(?:#set\(|'setContext', )'(credits\.\w+)'/g)].map(
      match => match[1] ?? '',
    );
    ok(keys.length > 5);
    const told = [...readFileSync('README.md', 'utf8').matchAll(/^\| `(credits\.\w+)`/gm)].map(
      match => match[1],
    );
    deepEqual(new Set(told), new Set([...Object.keys(contributes.configuration.properties), ...keys]));
  });
});
