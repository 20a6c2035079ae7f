import { deepEqual, equal } from 'node:assert/strict';
import {
  type Place,
  placeOf,
  type Way,
  type WhyNot,
  waysFor,
  whyNot,
} from '../../../../src/core/signIn/ways.ts';

const all = { hasDeviceCodes: true };

/** What a person at each place is offered, and why something is not. */
const expected: Readonly<Record<Place, { ways: Way[]; not: Partial<Record<Way, WhyNot>> }>> = {
  desktop: { ways: ['loopback', 'editorUri', 'device', 'token'], not: {} },
  remote: { ways: ['editorUri', 'device', 'token'], not: { loopback: 'browserElsewhere' } },
  web: { ways: ['editorUri', 'device', 'token'], not: { loopback: 'noPorts' } },
  fork: { ways: ['loopback', 'device', 'token'], not: { editorUri: 'unknownEditor' } },
};

describe('the ways to sign in', () => {
  for (const [place, { ways, not }] of Object.entries(expected) as Array<[Place, (typeof expected)[Place]]>) {
    it(`at a ${place} are ${ways.join(', ')}, and each other one has its reason`, () => {
      deepEqual(waysFor(place, all), ways);
      for (const way of ['loopback', 'editorUri', 'device', 'token'] as const) {
        equal(whyNot(way, place, all), not[way]);
        equal(whyNot(way, place, all) === undefined, ways.includes(way));
      }
    });

    it(`at a ${place} are a pasted token alone where the server names no provider`, () => {
      deepEqual(waysFor(place, undefined), ['token']);
      equal(whyNot('device', place, undefined), 'tokensOnly');
    });

    it(`at a ${place} do not include a code where the provider gives none`, () => {
      equal(waysFor(place, { hasDeviceCodes: false }).includes('device'), false);
      equal(whyNot('device', place, { hasDeviceCodes: false }), 'noDeviceCodes');
    });
  }

  it('T17 are chosen by what the host can do; an editor of any other name counts as a fork', () => {
    const facts = { isWeb: false, isRemote: false, uriScheme: 'vscode' };
    equal(placeOf(facts), 'desktop');
    equal(placeOf({ ...facts, uriScheme: 'code-studio' }), 'fork');
    equal(placeOf({ ...facts, isRemote: true }), 'remote');
    equal(placeOf({ ...facts, isRemote: true, isWeb: true }), 'web');
  });
});
