// The strings of a TypeScript source, as a scanner sees them: enough of the language for sources that our formatter wrote.

export interface Literal {
  readonly text: string;
  readonly line: number;
  /** The code just before it, blanks taken off. */
  readonly before: string;
}

/** What stands in a template where code did. */
export const HOLE = '\u0000';

export function literalsOf(source: string): Literal[] {
  const found: Literal[] = [];
  let at = 0;
  let code = '';
  const lineOf = (index: number) => source.slice(0, index).split('\n').length;

  /** Reads up to the brace that closes what is open, or to the end. */
  const readCode = (): void => {
    for (let depth = 0; at < source.length; ) {
      const one = source[at] ?? '';
      const two = source.slice(at, at + 2);
      if (two === '//') {
        at = endOf('\n', at);
      } else if (two === '/*') {
        at = endOf('*/', at + 2);
      } else if (one === "'" || one === '"') {
        readQuoted(one);
      } else if (one === '`') {
        readTemplate();
      } else if (one === '/' && /(^|[(,=:[!&|?{};>]|\breturn)$/.test(code.trimEnd())) {
        readPattern();
      } else {
        depth += one === '{' ? 1 : one === '}' ? -1 : 0;
        at++;
        if (depth < 0) {
          return;
        }
        code = (code + one).slice(-60);
      }
    }
  };

  const endOf = (end: string, from: number) => {
    const index = source.indexOf(end, from);
    return index < 0 ? source.length : index + end.length;
  };

  const note = (text: string, start: number, before: string) => {
    found.push({ text, line: lineOf(start), before: before.trimEnd() });
    code = `${before}_`.slice(-60);
  };

  const readQuoted = (quote: string): void => {
    const start = at++;
    for (; at < source.length && source[at] !== quote; at++) {
      at += source[at] === '\\' ? 1 : 0;
    }
    note(source.slice(start + 1, at++), start, code);
  };

  const readTemplate = (): void => {
    const start = at++;
    const before = code;
    let text = '';
    while (at < source.length && source[at] !== '`') {
      if (source.startsWith('${', at)) {
        at += 2;
        code = '{';
        readCode();
        text += HOLE;
      } else {
        const length = source[at] === '\\' ? 2 : 1;
        text += source.slice(at, at + length);
        at += length;
      }
    }
    at++;
    note(text, start, before);
  };

  const readPattern = (): void => {
    let isInClass = false;
    for (at++; at < source.length && (isInClass || source[at] !== '/'); at++) {
      isInClass = source[at] === '[' || (isInClass && source[at] !== ']');
      at += source[at] === '\\' ? 1 : 0;
    }
    at++;
    code += '_';
  };

  readCode();
  return found;
}
