// Every sentence people read is in the bundles, and each language has all of them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Bundle,
  bundleFile,
  bundleText,
  englishBundle,
  languages,
  pseudo,
  readBundle,
  readTranslation,
  sentencesOf,
  sources,
} from '../../scripts/support/l10n.ts';
import { inRoot } from '../../scripts/support/places.ts';
import { HOLE, literalsOf } from '../support/literals.ts';

const english = englishBundle();
const manifest = readBundle(inRoot('package.nls.json'));

describe('the sentences in the sources', () => {
  it('are each found: as many as there are calls', () => {
    for (const { name, text } of sources()) {
      // Counted another way: by what stands before each string.
      const called = literalsOf(text).filter(({ before }) => /(?<![\w.$])(l10n\.)?t\($/.test(before));
      assert.equal(sentencesOf(text, name).length, called.length, name);
    }
    assert.ok(Object.keys(english).length > 300);
  });

  it('are read as the program reads them', () => {
    const source = `
      l10n.t('It\\'s {0}', n); t("a \\"b\\" and 'c'"); t(
        'on a line of its own',
        one,
      ); reset('no'); at('no'); that.t('no');`;
    assert.deepEqual(sentencesOf(source, 'a.ts'), ["It's {0}", `a "b" and 'c'`, 'on a line of its own']);
  });

  for (const call of [
    't(text)',
    't(`a ${' + 'b}`)',
    "t('a' + b)",
    "t(isOne ? 'a' : 'b')",
    "l10n.t({ message: 'a' })",
  ]) {
    it(`cannot be put together in code: ${call}`, () => {
      assert.throws(() => sentencesOf(`\n${call};`, 'a.ts'), /^Error: a\.ts:2: /);
    });
  }

  it('are in the bundle for translators, which is up to date: npm run l10n', () => {
    assert.equal(readFileSync(bundleFile, 'utf8'), bundleText(english));
  });

  it('are all that is written for people: no other string in the rooms they see is one', () => {
    const found = sources()
      .filter(({ name }) => /^(src\/(views|vscode)\/|src\/[a-z]+\.ts$|webview\/)/.test(name))
      .flatMap(({ name, text }) =>
        literalsOf(text)
          .filter(literal => isProse(literal.text, literal.before))
          .map(({ line, text }) => `${name}:${line}: ${text.trim().slice(0, 60)}`),
      );
    assert.deepEqual(found, []);
  });

  const prose: ReadonlyArray<readonly [text: string, before: string]> = [
    ['Nothing was charged.', 'const text ='],
    ['Refresh', 'title:'],
    ['Loading', 'window.showErrorMessage('],
    [`<p>Paid by ${HOLE}</p>`, 'return html'],
    ['<button title="Close"></button>', 'return html'],
    ['<h1>Sign in</h1>', 'return'],
  ];
  for (const [text, before] of prose) {
    it(`would be missed as ${JSON.stringify(before + text)}`, () => assert.ok(isProse(text, before)));
  }
});

/** Words for people, by how they look and by where they go. What the log and thrown errors say is for developers. */
function isProse(text: string, before: string): boolean {
  if (
    /\bt\($/.test(before) ||
    /(log\.\w+|new \w*Error)\($/.test(before) ||
    before.endsWith('error.message) :')
  ) {
    return false;
  }
  const isShown =
    /\b(title|label|prompt|place[hH]older|description|detail|tooltip|message|text):$/.test(before) ||
    /\b(show\w+Message|setStatusBarMessage|report|say)\($/.test(before);
  if (/^\s*</.test(text) || /\bhtml$/.test(before)) {
    const styled = text.replaceAll(/<(style|script)\b[\s\S]*?<\/\1>/g, '');
    const named = [...styled.matchAll(/\b(?:aria-label|aria-description|title|placeholder|alt)="([^"]*)"/g)];
    const shown = [styled.replaceAll(/<[^>]*>/g, ''), ...named.map(([, value]) => value)];
    return shown.some(one => /\p{L}/u.test(one?.replaceAll(/\\n/g, '') ?? ''));
  }
  const isAddress = /^https?:\/\/\S+$/.test(text);
  const isClass = /^[a-z-]+( is-[a-z]+)+$/.test(text);
  const isPolicy = /^(\w+-src|base-uri|form-action) /.test(text);
  return (
    !isAddress &&
    !isClass &&
    !isPolicy &&
    (isShown ? /\p{L}{2}/u : /\p{L}{2},? \p{L}{2}/u).test(text.replaceAll(/\(command:[\w.]+\)/g, ''))
  );
}

it('the pictures of the walkthrough have figures, and no words to translate', () => {
  const folder = inRoot('media/walkthrough');
  for (const name of readdirSync(folder)) {
    const said = readFileSync(join(folder, name), 'utf8').replaceAll(/<[^>]*>/g, '');
    assert.doesNotMatch(said, /\p{L}/u, name);
  }
});

describe('the languages', () => {
  it('are those whose files are there, and the manifest says where', () => {
    assert.equal(
      (JSON.parse(readFileSync(inRoot('package.json'), 'utf8')) as { l10n: string }).l10n,
      './l10n',
    );
    const files = languages.map(language => `bundle.l10n.${language}.json`);
    assert.deepEqual(readdirSync(inRoot('l10n')).toSorted(), [...files, 'bundle.l10n.json'].toSorted());
    assert.deepEqual(
      readdirSync(inRoot('.'))
        .filter(name => /^package\.nls\./.test(name))
        .toSorted(),
      [...languages.map(language => `package.nls.${language}.json`), 'package.nls.json'].toSorted(),
    );
  });

  for (const language of languages) {
    const { bundle, manifest: translated } = readTranslation(language);

    it(`${language} has every sentence and none that is no longer said, in the order of the bundle`, () => {
      assert.deepEqual(Object.keys(bundle), Object.keys(readBundle(bundleFile)));
      assert.deepEqual(Object.keys(translated), Object.keys(manifest));
    });

    it(`${language} keeps each sentence's placeholders, icons, links, settings and line breaks`, () => {
      for (const [from, to] of pairs({ ...bundle, ...translated }, { ...english, ...manifest })) {
        assert.deepEqual(fixedParts(to), fixedParts(from), to);
      }
    });

    it(`${language} leaves nothing blank, ragged or in English`, () => {
      for (const [from, to] of pairs({ ...bundle, ...translated }, { ...english, ...manifest })) {
        assert.equal(to, to.trim());
        assert.notEqual(to, '');
        const isSentence = /[a-z]+ [a-z]+.* [a-z]+/.test(from);
        assert.ok(!isSentence || to !== from, from);
        if (
          language === 'ja' &&
          /[a-z]{2}/.test(from) &&
          !['category', 'Credits', 'Code Studio Credits'].includes(from)
        ) {
          assert.match(to, /[\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Han}]/u, from);
        }
      }
    });

    it(`${language} says the same thing of a sign-in and of a figure wherever it is said`, () => {
      assert.equal(bundle['Buy Credits'], translated['command.buy']);
      assert.equal(bundle['Open Credits'], translated['command.open']);
      assert.equal(bundle['Sign In'], translated['command.signIn']);
      assert.equal(bundle['Manage billing'], translated['command.manageBilling']);
      assert.equal(bundle['Show Log'], translated['command.showLog']);
    });
  }

  it('have a stand-in that is accented, bracketed, and two fifths longer, with its placeholders whole', () => {
    const made = pseudo('$(sync) {0} of {1} left');
    assert.match(made, /^\[\$\(sync\) \{0\} öƒ \{1\} ĺéƒť .+\]$/);
    assert.ok(made.length >= 1.4 * '$(sync) {0} of {1} left'.length);
    assert.doesNotMatch(
      pseudo('The quick brown fox jumps over a lazy dog').replaceAll(/[[\]]/g, ''),
      /[a-z]/i,
    );
  });
});

function* pairs(translated: Bundle, from: Bundle): Generator<readonly [from: string, to: string]> {
  for (const [key, sentence] of Object.entries(from)) {
    yield [sentence, translated[key] ?? ''];
  }
}

/** What a translation must not touch; placeholders may change places. */
function fixedParts(sentence: string): string[] {
  return (
    sentence.match(/\{\d+\}|\$\([a-z-]+\)|\]\(command:[^)]*\)|`[^`]*`|\n|https?:\/\/[\w.]*\w/g) ?? []
  ).toSorted();
}
