// A tool for language models: the figures of the exported API and no others, and no way to change anything.
import { LanguageModelTextPart, LanguageModelToolResult, l10n, lm } from 'vscode';
import type { CreditsApi } from '../api.ts';
import type { Disposable } from '../core/event.ts';

export const BALANCE_TOOL = 'creditsBalance';

export function registerBalanceTool(api: Pick<CreditsApi, 'getSnapshot'>): Disposable {
  // Some editors of this version leave the whole of `lm` out.
  if (typeof lm?.registerTool !== 'function') {
    return { dispose: () => undefined };
  }
  return lm.registerTool(BALANCE_TOOL, {
    prepareInvocation: () => ({ invocationMessage: l10n.t('Looking at the credit balance') }),
    invoke: () => new LanguageModelToolResult([new LanguageModelTextPart(JSON.stringify(api.getSnapshot()))]),
  });
}
