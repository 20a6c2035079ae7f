import { deepEqual, equal, ok } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { CreditsSnapshot } from '../../../src/api.ts';
import { fake } from '../../support/vscode.ts';

const { BALANCE_TOOL, registerBalanceTool } = await import('../../../src/views/balanceTool.ts');
const { did, lm } = fake;

const known: CreditsSnapshot = {
  state: 'current',
  available: 5_218.5,
  unit: 'credits',
  percentUsed: 12,
  version: 7,
};

function said(snapshot: CreditsSnapshot): unknown {
  registerBalanceTool({ getSnapshot: () => snapshot });
  const [part] = did.tools.get(BALANCE_TOOL)?.invoke().content ?? [];
  ok(part instanceof fake.LanguageModelTextPart);
  return JSON.parse(part.value);
}

describe('the tool for language models', () => {
  beforeEach(() => did.reset());

  it('tells the figures of the exported API', () => deepEqual(said(known), known));

  it('F1 leaves out what is not known, and never says 0 for it', () => {
    const unknown = { available: undefined, unit: undefined, percentUsed: undefined, version: undefined };
    deepEqual(said({ ...unknown, state: 'signedOut' }), { state: 'signedOut' });
  });

  it('reads what is known when it is asked, not when it was registered', () => {
    let snapshot = known;
    registerBalanceTool({ getSnapshot: () => snapshot });
    snapshot = { ...known, available: 1 };
    ok(JSON.stringify(did.tools.get(BALANCE_TOOL)?.invoke()).includes('\\"available\\":1,'));
  });

  it('goes by the name in the manifest, and takes no input', () => {
    const { contributes } = JSON.parse(readFileSync('package.json', 'utf8'));
    const [tool, ...others] = contributes.languageModelTools;
    deepEqual([tool.name, tool.inputSchema.properties, others], [BALANCE_TOOL, {}, []]);
  });

  it('is left out where the editor has no such tools', () => {
    const { registerTool } = lm;
    delete lm.registerTool;
    try {
      registerBalanceTool({ getSnapshot: () => known }).dispose();
      equal(did.tools.size, 0);
    } finally {
      Object.assign(lm, { registerTool });
    }
  });

  it('is gone with the extension', () => {
    registerBalanceTool({ getSnapshot: () => known }).dispose();
    equal(did.tools.size, 0);
  });
});
