// The start and the end of the extension as a whole: what is there before activate() returns, and what is left of it.
import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { account } from '../support/core.ts';
import { balance } from '../support/scriptedServer.ts';
import { fake } from '../support/vscode.ts';

Object.assign(globalThis, { __SANDBOX__: false });
const { activate, deactivate } = await import('../../src/extension.ts');

const { contributes } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  contributes: { commands: { command: string }[] };
};
const commands = contributes.commands.map(({ command }) => `command ${command}`);

describe('the start', () => {
  let subscriptions: { dispose(): unknown }[];

  beforeEach(() => {
    fake.did.reset();
    fake.disk.files.clear();
    fake.registered.clear();
    subscriptions = [];
  });

  afterEach(end);

  it('paints the balance of last time, takes commands and answers other extensions before it returns', () => {
    const api = start({ account, snapshot: balance(), savedAtMs: Date.now() });
    const [item] = fake.did.items;
    equal(item?.shows, 1);
    ok(/\d/.test(item.text), item.text);
    deepEqual([...fake.registered].toSorted(), commands.toSorted());
    equal(api.getSnapshot().available, balance().available_ucr / 1_000_000);
  });

  it('leaves the rest to the turn after, and opens no log while there is nothing to write', async () => {
    start();
    await later();
    deepEqual([...fake.registered].filter(name => !name.startsWith('command')).toSorted(), [
      'authentication credits',
      'serializer credits.panel',
      'uri handler',
      'view credits.view',
    ]);
    equal(fake.did.contexts.get('credits.signedIn'), false);
  });

  it('leaves nothing when it is switched off in between', async () => {
    start();
    await end();
    await later();
    deepEqual([...fake.registered], []);
    ok(fake.did.items.every(({ isDisposed }) => isDisposed));
  });

  it('leaves nothing when it is switched off later', async () => {
    start();
    await later();
    await end();
    deepEqual([...fake.registered], []);
  });

  function start(cached?: unknown) {
    const values = new Map([['balance.v1', cached]]);
    const context = {
      subscriptions,
      extension: { id: 'test.credits', extensionKind: 1, packageJSON: { version: '0.0.0' } },
      extensionUri: fake.Uri.parse('https://editor.example/extension'),
      globalStorageUri: fake.Uri.parse('https://editor.example/storage'),
      globalState: {
        keys: () => [...values.keys()],
        get: (key: string) => values.get(key),
        update: async (key: string, value: unknown) => void values.set(key, value),
      },
      secrets: {
        get: async () => undefined,
        store: async () => {},
        delete: async () => {},
        onDidChange: () => ({ dispose: () => undefined }),
      },
    };
    return activate(context as unknown as Parameters<typeof activate>[0]);
  }

  async function end(): Promise<void> {
    await deactivate();
    for (const part of subscriptions.splice(0)) part.dispose();
  }
});

/** A timer of 0 ms has run by then. */
async function later(): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 5));
  await turn();
}
