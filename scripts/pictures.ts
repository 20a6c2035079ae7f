// Makes the documents' pictures anew from a real run of the journey.
// Usage: npm run pictures
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { inRoot } from './support/places.ts';

const pictures = {
  '3-amount-chosen-dark.png': 'panel.png',
  '5-waiting-light.png': 'waiting.png',
  '6-credited-dark.png': 'credited.png',
  '7-return-page-light.png': 'return-page.png',
  '9-member-light.png': 'member.png',
  '10-warning-dark.png': 'warning.png',
};

const { status } = spawnSync(process.execPath, [inRoot('scripts/journey.ts')], { stdio: 'inherit' });
if (status === 0) {
  mkdirSync(inRoot('docs/images'), { recursive: true });
  for (const [from, to] of Object.entries(pictures)) {
    copyFileSync(inRoot('out/journey', from), inRoot('docs/images', to));
  }
  console.log('docs/images is up to date.');
}
process.exitCode = status ?? 1;
