// The benches' figures as they stand in a document: between `<!-- results: FILE ... -->` and `<!-- end -->`.
import { existsSync } from 'node:fs';
import { inRoot } from '../../scripts/support/places.ts';
import { figureOf, isMet, limitOf, type Results, readResults } from './table.ts';

export function withFigures(text: string): string {
  return text.replaceAll(
    /(<!-- results: ([^>]+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, opening: string, files: string, end: string) =>
      `${opening}${files
        .split(' ')
        .map(name => inRoot(name))
        .filter(file => existsSync(file))
        .map(file => tableOf(readResults(file)))
        .join('\n')}${end}`,
  );
}

function tableOf({ machine, rows }: Results): string {
  const lines = rows.map(row => {
    const limit = limitOf(row);
    const verdict = limit === '' ? '' : `${limit}${isMet(row) ? '' : ' (**missed**)'}`;
    return `| \`${row.id}\` | ${row.what} | ${figureOf(row)} | ${verdict} |`;
  });
  const where = `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGb} GB, ${machine.platform}, Node ${machine.node}`;
  return [`On ${where}:`, '', '| Row | What | Figure | Limit |', '|---|---|---|---|', ...lines, '', ''].join(
    '\n',
  );
}
