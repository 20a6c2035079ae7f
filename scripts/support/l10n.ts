// What people read, by language: the sentences found in the sources, and the files they are translated in.
import { globSync, readFileSync } from 'node:fs';
import { inRoot, root } from './places.ts';

/** Sentences by their English. */
export type Bundle = Readonly<Record<string, string>>;

/** Besides English. Each has l10n/bundle.l10n.LANGUAGE.json and package.nls.LANGUAGE.json. */
export const languages = ['de', 'ja'] as const;
export type Language = (typeof languages)[number];

export const bundleFile = inRoot('l10n/bundle.l10n.json');

export function readTranslation(language: Language): { bundle: Bundle; manifest: Bundle } {
  return {
    bundle: readBundle(inRoot(`l10n/bundle.l10n.${language}.json`)),
    manifest: readBundle(inRoot(`package.nls.${language}.json`)),
  };
}

export function readBundle(file: string): Bundle {
  return JSON.parse(readFileSync(file, 'utf8')) as Bundle;
}

/** The editor's `l10n.t` in the host, and `t`, which is the same in the page. */
const calls = /(?<![\w.$])(?:l10n\.)?t\(\s*/g;
/** The sentence is the first argument, whole and in quotes, because it is its own key. */
const quotation = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/y;

/** @throws where a sentence is put together in code, and so can be in no bundle */
export function sentencesOf(source: string, name: string): string[] {
  return [...source.matchAll(calls)].map(call => {
    quotation.lastIndex = call.index + call[0].length;
    const quoted = quotation.exec(source)?.[0];
    if (quoted === undefined || !/^\s*[,)]/.test(source.slice(quotation.lastIndex))) {
      const line = source.slice(0, call.index).split('\n').length;
      throw new Error(`${name}:${line}: the sentence must be one string in quotes, and the first argument.`);
    }
    return unquoted(quoted);
  });
}

function unquoted(quoted: string): string {
  const inside = quoted.slice(1, -1).replaceAll(String.raw`\'`, "'");
  return JSON.parse(`"${inside.replaceAll(/(?<!\\)"/g, String.raw`\"`)}"`) as string;
}

/** Where sentences are. */
export function sources(): ReadonlyArray<{ name: string; text: string }> {
  return ['src/**/*.ts', 'webview/**/*.ts']
    .flatMap(pattern => globSync(pattern, { cwd: root }))
    .map(name => ({ name: name.replaceAll('\\', '/'), text: readFileSync(inRoot(name), 'utf8') }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}

/** What belongs in l10n/bundle.l10n.json. */
export function englishBundle(): Bundle {
  return Object.fromEntries(
    sources().flatMap(({ name, text }) => sentencesOf(text, name).map(sentence => [sentence, sentence])),
  );
}

/** Sorted by code unit, so that the order is the same on every machine and branches merge line by line. */
export function bundleText(bundle: Bundle): string {
  const sorted = Object.entries(bundle).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`;
}

const accented: Readonly<Record<string, string>> = Object.fromEntries(
  [...'aàbƀcçdđeéfƒgğhĥiïjĵkķlĺmḿnñoöpþqʠrŕsštťuüvṽwŵxẋyýzž'].flatMap((letter, index, all) => {
    const to = all[index + 1] ?? '';
    return index % 2 === 0
      ? [
          [letter, to],
          [letter.toUpperCase(), to.toUpperCase()],
        ]
      : [];
  }),
);

/**
 * A language that no one speaks and everyone can read: accents show what has gone through translation, brackets what
 * was cut off, and it is two fifths longer, as a translation may be.
 */
export function pseudo(sentence: string): string {
  const kept = sentence.split(/(\{\d+\}|\$\([a-z-]+\))/);
  const words = kept.map((part, index) =>
    index % 2 === 1 ? part : part.replaceAll(/[a-z]/gi, letter => accented[letter] ?? letter),
  );
  const more = 'ťŵö ƒïƒťĥš ĺöñğéŕ '.repeat(8).slice(0, Math.ceil(sentence.length * 0.4));
  return `[${words.join('')} ${more.trim()}]`;
}

export function pseudoBundle(bundle: Bundle): Bundle {
  return Object.fromEntries(Object.entries(bundle).map(([key, sentence]) => [key, pseudo(sentence)]));
}
