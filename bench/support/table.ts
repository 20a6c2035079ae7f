// What every bench writes down: rows with their limit, on a machine that is named, as a table and as a file.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { dirname, relative } from 'node:path';
import { root } from '../../scripts/support/places.ts';

export interface Row {
  /** Stable: docs/performance.md and `--only` know the row by it. */
  readonly id: string;
  /** What was measured against what, for people. */
  readonly what: string;
  readonly figure: number;
  /** `ratio` where both sides were measured in this run. */
  readonly unit: 'ratio' | 'ms' | 'MB' | 'kB' | 'requests' | 'credits' | 's' | 'handles' | 'streams';
  readonly limit?: { readonly atMost: number } | { readonly atLeast: number } | { readonly exactly: number };
  /** What the figure was made from. */
  readonly details: Readonly<Record<string, number | string>>;
}

export interface Results {
  readonly machine: Machine;
  readonly rows: readonly Row[];
}

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly platform: string;
  readonly node: string;
}

export function isMet({ figure, limit }: Row): boolean {
  if (!limit) {
    return true;
  }
  if ('atMost' in limit) {
    return figure <= limit.atMost;
  }
  return 'atLeast' in limit ? figure >= limit.atLeast : figure === limit.exactly;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

export function show(rows: readonly Row[]): void {
  const lines = rows.map(row => [
    row.id,
    figureOf(row),
    limitOf(row),
    isMet(row) ? 'met' : 'MISSED',
    row.what,
  ]);
  const head = ['row', 'figure', 'limit', '', 'what'];
  const widths = head.map((title, column) =>
    Math.max(title.length, ...lines.map(line => line[column]?.length ?? 0)),
  );
  for (const line of [head, ...lines]) {
    console.log(
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}

/** Three digits are as many as a bench can mean. */
export function figureOf({ figure, unit }: Pick<Row, 'figure' | 'unit'>): string {
  const text = Number.isInteger(figure) ? String(figure) : String(Number(figure.toPrecision(3)));
  return unit === 'ratio' ? text : `${text} ${unit}`;
}

export function limitOf({ limit, unit }: Pick<Row, 'limit' | 'unit'>): string {
  if (!limit) {
    return '';
  }
  const [how, figure] =
    'atMost' in limit
      ? ['at most', limit.atMost]
      : 'atLeast' in limit
        ? ['at least', limit.atLeast]
        : ['exactly', limit.exactly];
  return `${how} ${figureOf({ figure, unit })}`;
}

export function readResults(file: string): Results {
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}

export function writeResults(file: string, rows: readonly Row[]): void {
  mkdirSync(dirname(file), { recursive: true });
  const results: Results = { machine: machine(), rows };
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`);
  console.log(`\nWritten to ${relative(root, file)}.`);
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))];
  if (value === undefined) {
    throw new Error('There is no median of nothing.');
  }
  return value;
}
