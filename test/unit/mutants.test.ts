// The recorded mutants fit the sources: `npm run mutants` itself takes too long to be part of every run.
import { equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { misplaced } from '../../scripts/support/sourceCopy.ts';
import { mutants } from '../mutants.ts';
import { bugs } from '../simulator/mutants.ts';

describe('recorded mutants', () => {
  for (const { row, file, from, to, test, title } of mutants) {
    it(`find what they take out: ${row}`, () => {
      equal(readFileSync(file, 'utf8').split(from).length, 2, `${file} holds it once`);
      ok(from !== to);
    });

    it(`name a test that exists: ${row}`, () => ok(readFileSync(test, 'utf8').includes(title), title));
  }

  for (const { name, edits, behind = [] } of bugs) {
    it(`find where the simulator's bug goes: ${name}`, () =>
      equal(misplaced('.', [...behind, ...edits]), undefined));
  }
});
