// Writes l10n/bundle.l10n.json: every sentence of the extension and its page, as translators find it; and says what the
// other languages lack or no longer need.
// Usage: npm run l10n
import { writeFileSync } from 'node:fs';
import { bundleFile, bundleText, englishBundle, languages, readTranslation } from './support/l10n.ts';
import { runScript } from './support/script.ts';

async function main(): Promise<void> {
  const english = englishBundle();
  writeFileSync(bundleFile, bundleText(english));
  console.log(`${Object.keys(english).length} sentences are in l10n/bundle.l10n.json.`);
  for (const language of languages) {
    const { bundle } = readTranslation(language);
    for (const key of Object.keys(english)) {
      if (!(key in bundle)) console.log(`${language} lacks: ${key}`);
    }
    for (const key of Object.keys(bundle)) {
      if (!(key in english)) console.log(`${language} no longer needs: ${key}`);
    }
  }
}

await runScript(main);
