// The commands as another extension would call them.
import assert from 'node:assert/strict';
import { commands, window } from 'vscode';
import { eventually } from '../../scripts/support/eventually.ts';

const hostile = [{ amountMinor: 50_000, orgId: 'org_other' }, 'https://evil.example', () => 'token'];

describe('commands', () => {
  after(() => commands.executeCommand('workbench.action.closeAllEditors'));

  for (const id of ['credits.open', 'credits.refresh', 'credits.signOut', 'credits.showLog']) {
    it(`T19 takes nothing along and gives nothing back, whoever calls a command: ${id}`, async () => {
      assert.equal(await commands.executeCommand(id, ...hostile), undefined);
    });
  }

  it('opens the panel once, however often it is asked for', async () => {
    await commands.executeCommand('credits.open');
    await commands.executeCommand('credits.open');
    const tabs = () =>
      window.tabGroups.all.flatMap(group => group.tabs).filter(tab => tab.label === 'Credits').length;
    // The host hears of its tabs by message.
    await eventually('the panel has its tab', tabs, count => count > 0);
    await commands.executeCommand('credits.open');
    assert.equal(tabs(), 1);
  });
});
