// What the build servers run: commands that exist here, other people's actions in one named version each, and a lockfile that
// holds on every platform.
import { deepEqual, ok } from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
const files = globSync('.github/workflows/*.yml').sort();

describe('the workflows', () => {
  it('are there', () => ok(files.length >= 2));

  for (const file of files) {
    const text = readFileSync(file, 'utf8');

    it(`T38 take each action in one full version (${file})`, () => {
      const used = [...text.matchAll(/uses: (\S+)/g)].map(match => match[1] ?? '');
      ok(used.length > 0);
      deepEqual(
        used.filter(action => !/^[\w-]+\/[\w-]+@v\d+\.\d+\.\d+$/.test(action)),
        [],
      );
    });

    it(`T38 give no job more than reading, unless it says so (${file})`, () =>
      ok(/^permissions:\n {2}contents: read\n/m.test(text)));

    it(`run only commands that exist (${file})`, () => {
      const named = [...text.matchAll(/npm run ([a-z:]+)/g)].map(match => match[1] ?? '');
      ok(named.length > 0);
      deepEqual(
        named.filter(name => !(name in scripts)),
        [],
      );
    });
  }
});

describe('the lockfile', () => {
  it("has every platform's build of a tool, without which `npm ci` refuses and another platform stands without it", () => {
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
      packages: Record<string, { optionalDependencies?: Record<string, string> }>;
    };
    const wanted = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map(name => ({ path, name })),
    );
    ok(wanted.length > 0);
    deepEqual(
      wanted.filter(
        ({ path, name }) =>
          !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
      ),
      [],
    );
  });
});
