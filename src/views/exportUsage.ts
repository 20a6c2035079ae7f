// Usage as a file for spreadsheets: comma-separated values after RFC 4180, with units in the header.
import { l10n, Uri, window, workspace } from 'vscode';
import type { UsageReport } from '../../protocol/api.ts';
import { UCR_PER_CREDIT, type Ucr } from '../../protocol/units.ts';
import type { Records } from '../core/records.ts';
import { describeError } from './describe.ts';

export interface ExportMeans {
  readonly records: Records;
  /** Where the file is suggested. */
  readonly folder: Uri | undefined;
}

/** What the panel shows usage by, written where the person says. */
export async function exportUsage({ records, folder }: ExportMeans): Promise<void> {
  await records.refreshUsage(records.state.group);
  const { value: report, error } = records.state.usage;
  if (!report || error) {
    const why = error ? describeError(error) : l10n.t('Sign in first.');
    void window.showErrorMessage(l10n.t('Usage could not be exported. {0}', why));
    return;
  }
  const name = `credits-usage-${records.state.group}-${report.to.slice(0, 10)}.csv`;
  const target = await window.showSaveDialog({
    title: l10n.t('Export Usage'),
    filters: { [l10n.t('Comma-separated values')]: ['csv'] },
    defaultUri: folder ? Uri.joinPath(folder, name) : Uri.file(`/${name}`),
  });
  if (!target) {
    return;
  }
  const file = target.path.split('/').at(-1) ?? name;
  try {
    await workspace.fs.writeFile(target, new TextEncoder().encode(usageCsv(report)));
  } catch {
    // A full disk, a folder that is not to be written in: the editor's reasons are in no language of ours.
    void window.showErrorMessage(l10n.t('{0} could not be written. Choose another place.', file));
    return;
  }
  void window.showInformationMessage(l10n.t('Usage was exported to {0}.', file));
}

export function usageCsv(report: UsageReport): string {
  // The header is the same in every language: programs read it.
  const key = report.group_by === 'day' ? 'day_utc' : report.group_by;
  const rows = report.data.map(row => [
    row.key ?? '',
    row.name ?? '',
    decimal(row.used_ucr),
    String(row.events),
  ]);
  return [[key, 'name', 'used_credits', 'requests'], ...rows]
    .map(cells => `${cells.map(cell).join(',')}\r\n`)
    .join('');
}

/** Exact, with a point whatever the language: `12.000345`. */
function decimal(ucr: Ucr): string {
  const whole = Math.trunc(ucr / UCR_PER_CREDIT);
  const rest = String(ucr % UCR_PER_CREDIT)
    .padStart(6, '0')
    .replace(/0+$/, '');
  return rest === '' ? String(whole) : `${whole}.${rest}`;
}

/**
 * A cell that a spreadsheet shows and never works out: names come from people, and one that begins like a formula is
 * given an apostrophe. Source: https://owasp.org/www-community/attacks/CSV_Injection
 */
function cell(text: string): string {
  const inert = /^[\s]*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20|%]/u.test(text) ? `'${text}` : text;
  return /[",\r\n;\t']/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
